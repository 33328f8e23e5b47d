"""Signs and verifies with dkimpy. Usage, with the message on standard input:

    dkimpy.py sign SELECTOR DOMAIN KEY.pem     prints the signed message
    dkimpy.py verify RECORDS                   prints a line for each signature: its domain, and pass or why not
    dkimpy.py verify RECORDS DIRECTORY         the same for each message of a directory, after its file's name

RECORDS has a line for each key record: its name, a space, its text.
"""

import os
import sys

import dkim


def sign(message, selector, domain, key_path):
    with open(key_path, "rb") as file:
        key = file.read()
    relaxed = (b"relaxed", b"relaxed")
    signature = dkim.sign(message, selector.encode(), domain.encode(), key, canonicalize=relaxed)
    sys.stdout.buffer.write(signature + message)


def verify(message, records_path, directory=None):
    if directory is None:
        verify_one(message, records_path, "")
        return
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            verify_one(file.read(), records_path, name + " ")


def verify_one(message, records_path, name):
    with open(records_path, "rb") as file:
        records = dict(line.rstrip(b"\n").split(b" ", 1) for line in file)

    def txt(name, timeout=None):
        return records.get(name.rstrip(b"."))

    signatures = [value for name, value in dkim.rfc822_parse(message)[0] if name.lower() == b"dkim-signature"]
    for index, value in enumerate(signatures):
        domain = dkim.util.parse_tag_value(value)[b"d"].decode()
        try:
            result = "pass" if dkim.DKIM(message).verify(idx=index, dnsfunc=txt) else "fail: the signature does not match"
        except dkim.DKIMException as why:
            result = f"fail: {why}"
        print(f"{name}{domain} {result}")


message = sys.stdin.buffer.read()
{"sign": sign, "verify": verify}[sys.argv[1]](message, *sys.argv[2:])
