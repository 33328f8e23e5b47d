//! The results of authentication as conditions read them: a method, its result, the domains that it
//! speaks of.

use crate::auth::Authentication;
use crate::auth::spf::Identity;
use crate::result::AuthResult;

/// An authentication method.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Spf,
    Dkim,
    Dmarc,
    Arc,
    Iprev,
}

/// What all methods that were run say.
#[derive(Clone, Debug, Default)]
pub struct Results(Vec<MethodResult>);

/// One result.
#[derive(Clone, Debug)]
pub(super) struct MethodResult {
    pub(super) method: Method,
    pub(super) result: AuthResult,
    pub(super) domains: Vec<String>,
}

impl Method {
    pub(super) const ALL: [Self; 5] = [Self::Spf, Self::Dkim, Self::Dmarc, Self::Arc, Self::Iprev];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Spf => "spf",
            Self::Dkim => "dkim",
            Self::Dmarc => "dmarc",
            Self::Arc => "arc",
            Self::Iprev => "iprev",
        }
    }
}

impl Results {
    pub(super) fn push(&mut self, method: Method, result: AuthResult, domains: Vec<String>) {
        self.0.push(MethodResult { method, result, domains });
    }

    pub(super) fn of(&self, method: Method) -> impl Iterator<Item = &MethodResult> {
        self.0.iter().filter(move |result| result.method == method)
    }
}

impl From<&Authentication> for Results {
    fn from(auth: &Authentication) -> Self {
        let mut results = Self::default();
        // RFC 7208 §2.4: MAIL FROM is the identity that counts; HELO stands in for it.
        let of_mail_from = auth.spf.iter().find(|spf| spf.identity == Identity::MailFrom);
        if let Some(spf) = of_mail_from.or(auth.spf.last()) {
            results.push(Method::Spf, spf.result, vec![spf.domain.clone()]);
        }
        for dkim in &auth.dkim {
            results.push(Method::Dkim, dkim.result, vec![dkim.domain.clone()]);
        }
        if let Some(dmarc) = &auth.dmarc {
            if auth.dkim.is_empty() {
                results.push(Method::Dkim, AuthResult::None, Vec::new());
            }
            results.push(
                Method::Dmarc,
                dmarc.result,
                dmarc.author_domain.iter().cloned().collect(),
            );
        }
        if let Some(arc) = &auth.arc {
            let sealers = arc.sealers.iter().map(|sealer| sealer.domain.clone());
            results.push(Method::Arc, arc.result, sealers.collect());
        }
        if let Some(iprev) = &auth.iprev {
            results.push(Method::Iprev, iprev.result, iprev.name.iter().cloned().collect());
        }
        results
    }
}
