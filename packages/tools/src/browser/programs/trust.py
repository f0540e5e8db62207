"""Makes the store of certificates that Chromium reads from its home beside its own roots: NSS's `cert9.db`.

python3 trust.py AUTHORITIES FOLDER, the first in PEM. The table is as NSS 3.87 makes it, with the columns that are used here; each
authority is a certificate and a word of trust that is good for servers only.
"""

import base64
import hashlib
import os
import re
import sqlite3
import sys

CLASS, TOKEN, PRIVATE, LABEL, VALUE, CERTIFICATE_TYPE, ISSUER, SERIAL = "0", "1", "2", "3", "11", "80", "81", "82"
SUBJECT, ID, MODIFIABLE = "101", "102", "170"
SERVERS, CLIENTS, CODE, MAIL, STEP_UP = "ce536358", "ce536359", "ce53635a", "ce53635b", "ce536360"
SHA1, MD5 = "ce5363b4", "ce5363b5"
COLUMNS = (
    (CLASS, TOKEN, PRIVATE, LABEL, VALUE, CERTIFICATE_TYPE, ISSUER, SERIAL, SUBJECT, ID, MODIFIABLE)
    + (SERVERS, CLIENTS, CODE, MAIL, STEP_UP, SHA1, MD5)
)
CERTIFICATE, X509, TRUST, TRUSTED_TO_ISSUE, UNKNOWN = 1, 0, 0xCE534353, 0xCE534352, 0xCE534355
YES, NO = b"\1", b"\0"


def word(number):
    return number.to_bytes(4, "big")


def content(der, at):
    """Where the content of the element at `at` begins and ends."""
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(der[at + 2 : begin], "big")
    return begin, begin + length


def names(der):
    """Serial number, issuer and subject of a certificate (RFC 5280, 4.1), as they stand in it."""
    at, end = content(der, content(der, 0)[0])
    fields = []
    while at < end:
        _, after = content(der, at)
        if der[at] != 0xA0:
            fields.append(der[at:after])
        at = after
    return fields[0], fields[2], fields[4]


def rows(der):
    serial, issuer, subject = names(der)
    digest = hashlib.sha1(der).digest()
    both = {TOKEN: YES, PRIVATE: NO, MODIFIABLE: NO, ISSUER: issuer, SERIAL: serial}
    yield {
        **both,
        **{CLASS: word(CERTIFICATE), CERTIFICATE_TYPE: word(X509)},
        **{LABEL: b"egress", VALUE: der, SUBJECT: subject, ID: digest},
    }
    yield {
        **both,
        **{CLASS: word(TRUST), SHA1: digest, MD5: hashlib.md5(der).digest(), STEP_UP: NO},
        **{SERVERS: word(TRUSTED_TO_ISSUE), CLIENTS: word(UNKNOWN), CODE: word(UNKNOWN), MAIL: word(UNKNOWN)},
    }


authorities, folder = sys.argv[1:]
os.makedirs(folder, mode=0o700)
database = sqlite3.connect(os.path.join(folder, "cert9.db"))
database.execute(
    "CREATE TABLE nssPublic (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, %s)" % ", ".join("a" + each for each in COLUMNS)
)
number = 0
for text in re.findall("-----BEGIN CERTIFICATE-----(.*?)-----END", authorities, re.S):
    for row in rows(base64.b64decode(text)):
        number += 1
        database.execute(
            "INSERT INTO nssPublic (id, %s) VALUES (?%s)" % (", ".join("a" + each for each in row), ", ?" * len(row)),
            [number, *row.values()],
        )
database.commit()
