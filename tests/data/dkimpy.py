"""Speaks for dkimpy: answers each line of standard input, a request in JSON, with a line of JSON."""
import base64
import json
import sys

import dkim
from dkim.canonicalization import Relaxed, Simple


def b64(octets):
    return base64.b64encode(octets).decode()


def canonicalize(body):
    body = base64.b64decode(body)
    return [b64(Simple.canonicalize_body(body)), b64(Relaxed.canonicalize_body(body))]


def verify(case):
    def lookup(name, timeout=5):
        return case["records"].get(name.decode().rstrip("."), "").encode() or None

    signature = dkim.DKIM(base64.b64decode(case["message"]))
    try:
        return bool(signature.verify(dnsfunc=lookup))
    except dkim.DKIMException as error:
        return f"{type(error).__name__}: {error}"


def sign(case):
    return b64(dkim.sign(
        base64.b64decode(case["message"]),
        case["selector"].encode(),
        case["domain"].encode(),
        case["key"].encode(),
        canonicalize=tuple(name.encode() for name in case["canonicalize"]),
        signature_algorithm=case["algorithm"].encode(),
        include_headers=[name.encode() for name in case["fields"]],
    ))


def arc_verify(case):
    def lookup(name, timeout=5):
        return case["records"].get(name.decode().rstrip("."), "").encode() or None

    status, _, reason = dkim.ARC(base64.b64decode(case["message"])).verify(dnsfunc=lookup)
    return [status.decode() if status else "", reason]


def arc_sign(case):
    fields = dkim.arc_sign(
        base64.b64decode(case["message"]),
        case["selector"].encode(),
        case["domain"].encode(),
        case["key"].encode(),
        case["domain"].encode(),
        include_headers=[name.encode() for name in case["fields"]],
    )
    return b64(b"".join(fields))


verbs = {
    "canonicalize": canonicalize,
    "verify": verify,
    "sign": sign,
    "arc_verify": arc_verify,
    "arc_sign": arc_sign,
}
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps([verbs[request["verb"]](case) for case in request["cases"]]), flush=True)
