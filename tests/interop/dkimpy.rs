//! dkimpy, which Debian packages as `python3-dkim`, as a library in a Python of its own.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use mailseal::message::header::HeaderBlock;
use serde_json::{Value, json};

use crate::keys::{DOMAIN, Form, Keys, forms};
use crate::message::Message;

/// Where Debian puts it.
pub(crate) const LIBRARY: &str = "/usr/lib/python3/dist-packages/dkim";

const PYTHON: &str = "/usr/bin/python3";

/// Some Pythons, each for one conversation at a time.
#[derive(Default)]
pub(crate) struct Dkimpy {
    idle: Mutex<Vec<Python>>,
}

struct Python {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Python {
    fn start() -> Self {
        let mut child = Command::new(PYTHON)
            .args(["-c", include_str!("../data/dkimpy.py")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, answers }
    }
}

impl Dkimpy {
    /// Its answers, one a case.
    fn answers(&self, verb: &str, cases: &[Value]) -> Vec<Value> {
        let idle = self.idle.lock().unwrap().pop();
        let mut python = idle.unwrap_or_else(Python::start);
        let request = json!({"verb": verb, "cases": cases});
        writeln!(python.requests, "{request}").unwrap();
        let mut line = String::new();
        python.answers.read_line(&mut line).unwrap();
        let answers: Vec<Value> = serde_json::from_str(&line)
            .expect("dkimpy answers; apt-get install python3-dkim python3-nacl");
        assert_eq!(answers.len(), cases.len());
        self.idle.lock().unwrap().push(python);
        answers
    }

    /// What it says of each form's signature on a message that has them all.
    pub(crate) fn verify_all(&self, keys: &Keys, signed: &Message) -> Vec<String> {
        let mut message = signed.clone();
        message.headers = HeaderBlock::default();
        let mut signatures = HashMap::new();
        for field in signed.headers.iter() {
            if field.is("DKIM-Signature") {
                let text = String::from_utf8_lossy(field.value).into_owned();
                let (_, tag) = text.split_once("s=").unwrap();
                signatures.insert(tag.split(';').next().unwrap().to_owned(), text);
            } else {
                message.headers.push(field.name, field.value);
            }
        }
        let alone = |form: &Form| {
            message.with_field("DKIM-Signature", signatures[&form.selector].as_bytes())
        };
        self.verify(keys, &forms().iter().map(alone).collect::<Vec<_>>())
    }

    /// What it says of the topmost signature of each message.
    pub(crate) fn verify(&self, keys: &Keys, messages: &[Message]) -> Vec<String> {
        let records: Value = keys.records().into_iter().collect();
        let case = |m: &Message| json!({"message": BASE64_STANDARD.encode(m.octets()), "records": records});
        let cases: Vec<_> = messages.iter().map(case).collect();
        let word = |answer: &Value| match answer {
            Value::Bool(true) => "pass".to_owned(),
            Value::Bool(false) => "fail".to_owned(),
            // `ValidationError: body hash mismatch`.
            other if other.as_str().is_some_and(|text| text.contains("body hash")) => {
                "fail".to_owned()
            }
            other => other.to_string(),
        };
        self.answers("verify", &cases).iter().map(word).collect()
    }

    /// Each message with its signature on top.
    pub(crate) fn sign(&self, keys: &Keys, messages: &[(&Form, &Message)]) -> Vec<Message> {
        let case = |(form, message): &(&Form, &Message)| {
            json!({
                "message": BASE64_STANDARD.encode(message.octets()),
                "selector": form.selector,
                "domain": DOMAIN,
                "key": if form.is_rsa() { keys.pem(form).to_owned() } else { keys.seed() },
                "canonicalize": [form.header.as_str(), form.body.as_str()],
                "algorithm": form.algorithm,
                "fields": ["from", "to", "subject", "x-odd", "x-odd", "from", "subject"],
            })
        };
        let cases: Vec<_> = messages.iter().map(case).collect();
        let signed = messages.iter().zip(self.answers("sign", &cases));
        signed
            .map(|((_, message), field)| {
                let field = BASE64_STANDARD.decode(field.as_str().unwrap()).unwrap();
                Message::parse(&[field, message.octets()].concat())
            })
            .collect()
    }
}
