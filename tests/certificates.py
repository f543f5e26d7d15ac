"""Certificates made here, of elliptic curve P-256: an authority of its own, and one certificate signed by it.

Standard library only, so that no test needs a program or a package for them. They protect nothing: the keys are known.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None  # None: the point at infinity

CURVE = bytes.fromhex("06082a8648ce3d030107")  # identifiers as DER has them
PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
SIGNATURE = bytes.fromhex("06082a8648ce3d040302")
COMMON_NAME = bytes.fromhex("0603550403")
IS_AUTHORITY = bytes.fromhex("0603551d13")
KEY_USAGE = bytes.fromhex("0603551d0f")
OWN_KEY = bytes.fromhex("0603551d0e")
ISSUERS_KEY = bytes.fromhex("0603551d23")
OTHER_NAMES = bytes.fromhex("0603551d11")
LOOPBACK = bytes([127, 0, 0, 1])


@dataclass(frozen=True)
class Certificates:
    """Files of one party: the authority's certificate, its own, and its key."""

    authority: Path
    certificate: Path
    key: Path

    def variables(self, *roles: str) -> dict[str, str]:
        """Dask's settings for these roles, as variables of the environment."""
        found = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(self.authority)}
        for role in roles:
            found[f"DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__CERT"] = str(self.certificate)
            found[f"DASK_DISTRIBUTED__COMM__TLS__{role.upper()}__KEY"] = str(self.key)
        return found


def certificates(folder: Path, name: str) -> Certificates:
    """A new authority of this name, and a certificate of 127.0.0.1 that it has signed."""
    folder.mkdir(exist_ok=True)
    ours, theirs = _secret(f"{name}, authority"), _secret(name)
    files = {
        "authority.pem": ("CERTIFICATE", _certificate(f"{name} CA", ours, f"{name} CA", ours, is_authority=True)),
        "certificate.pem": ("CERTIFICATE", _certificate(name, theirs, f"{name} CA", ours, is_authority=False)),
        "key.pem": ("EC PRIVATE KEY", _private_key(theirs)),
    }
    for file, (kind, content) in files.items():
        text = base64.encodebytes(content).decode()
        (folder / file).write_text(f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n")
    return Certificates(*(folder / file for file in files))


def _secret(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()) % (ORDER - 1) + 1


# ---- the curve ----


def _sum(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def _times(number: int) -> tuple[int, int]:
    """The base point, added to itself so often."""
    found: Point = None
    doubled: Point = BASE
    while number:
        if number & 1:
            found = _sum(found, doubled)
        doubled, number = _sum(doubled, doubled), number >> 1
    assert found is not None
    return found


def _signed(content: bytes, secret: int) -> bytes:
    digest = hashlib.sha256(content).digest()
    once = _secret(f"{secret} {digest.hex()}")
    r = _times(once)[0] % ORDER
    s = (int.from_bytes(digest) + r * secret) * pow(once, -1, ORDER) % ORDER
    return _sequence(_integer(r), _integer(s))


# ---- DER ----


def _tagged(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else bytes([0x82]) + size.to_bytes(2)
    return bytes([tag]) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, *parts)


def _integer(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1))


def _public(secret: int) -> bytes:
    """The public key as a string of bits."""
    x, y = _times(secret)
    return _tagged(0x03, b"\0\4", x.to_bytes(32), y.to_bytes(32))


def _identifier(secret: int) -> bytes:
    return hashlib.sha256(_public(secret)).digest()[:20]


def _private_key(secret: int) -> bytes:
    key = _tagged(0x04, secret.to_bytes(32))
    return _sequence(_integer(1), key, _tagged(0xA0, CURVE), _tagged(0xA1, _public(secret)))


def _named(name: str) -> bytes:
    return _sequence(_tagged(0x31, _sequence(COMMON_NAME, _tagged(0x0C, name.encode()))))


def _certificate(name: str, secret: int, issuer: str, signing: int, *, is_authority: bool) -> bytes:
    extensions = [
        _sequence(OWN_KEY, _tagged(0x04, _tagged(0x04, _identifier(secret)))),
        _sequence(ISSUERS_KEY, _tagged(0x04, _sequence(_tagged(0x80, _identifier(signing))))),
    ]
    if is_authority:
        extensions.append(_sequence(IS_AUTHORITY, b"\1\1\xff", _tagged(0x04, _sequence(b"\1\1\xff"))))
        extensions.append(_sequence(KEY_USAGE, b"\1\1\xff", _tagged(0x04, b"\3\2\1\6")))  # signs certificates
    else:
        extensions.append(_sequence(OTHER_NAMES, _tagged(0x04, _sequence(_tagged(0x87, LOOPBACK)))))
    content = _sequence(
        _tagged(0xA0, _integer(2)),
        _integer(_secret(f"number {name}") >> 130),
        _sequence(SIGNATURE),
        _named(issuer),
        _sequence(_tagged(0x17, b"000101000000Z"), _tagged(0x18, b"21000101000000Z")),
        _named(name),
        _sequence(_sequence(PUBLIC_KEY, CURVE), _public(secret)),
        _tagged(0xA3, _sequence(*extensions)),
    )
    return _sequence(content, _sequence(SIGNATURE), _tagged(0x03, b"\0", _signed(content, signing)))
