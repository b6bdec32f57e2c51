"""Keys of made-up clients, made once a run, and tokens signed with them."""

import base64
import json
import uuid
from datetime import datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tests.conftest import NOW

# the key of the public CDS Hooks sandbox as its page gives it out
SANDBOX_KEY = {
    "kty": "EC",
    "use": "sig",
    "crv": "P-384",
    "kid": "44823f3d-0b01-4a6c-a80e-b9d3e8a7226f",
    "x": "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
    "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
    "alg": "ES384",
}


@cache
def ec_key(name: str = "one", curve: str = "P-384") -> ec.EllipticCurvePrivateKey:
    """A key of its own for each name."""
    return ec.generate_private_key({"P-384": ec.SECP384R1, "P-256": ec.SECP256R1, "P-521": ec.SECP521R1}[curve]())


@cache
def rsa_key(name: str = "one", bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of its own for each name."""
    return rsa.generate_private_key(65537, bits)


def public(key: PrivateKeyTypes, kid: str = "k1", **changes: object) -> dict[str, Any]:
    """The JWK of its public half; ... takes a member away."""
    kind = jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    jwk = kind.to_jwk(key.public_key(), as_dict=True)  # type: ignore[union-attr, arg-type]
    members = {**jwk, "kid": kid, "use": "sig"} | changes
    return {name: value for name, value in members.items() if value is not ...}


def key_set(*jwks: dict[str, Any]) -> str:
    """A JSON Web Key Set."""
    return json.dumps({"keys": jwks})


def b64(data: bytes | str) -> str:
    """Base64 as in a JWT."""
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


ISSUER = "https://ehr.example.org/fhir"
BASE = "https://cds.example.org"
KEYS_AT = "https://ehr.example.org/jwks.json"
_ALGORITHM = {"secp384r1": "ES384", "secp256r1": "ES256", "secp521r1": "ES512"}


def claims(path: str, now: datetime = NOW, **changes: object) -> dict[str, object]:
    """What a client says of a call; ... takes a claim away."""
    said = {
        "iss": ISSUER,
        "aud": BASE + path,
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 300,
        "jti": str(uuid.uuid4()),
        "sub": "zq7stranger",
    } | changes
    return {name: value for name, value in said.items() if value is not ...}


def signed(said: dict[str, object], key: PrivateKeyTypes | None = None, header: dict[str, object] | None = None) -> str:
    """A token as a client makes it: the algorithm of the key, kid k1; header changes the rest."""
    signer = key or ec_key()
    algorithm = _ALGORITHM[signer.curve.name] if isinstance(signer, ec.EllipticCurvePrivateKey) else "RS384"
    head = {"alg": algorithm, "typ": "JWT", "kid": "k1"} | (header or {})
    text = f"{b64(json.dumps(head))}.{b64(json.dumps(said))}"
    return f"{text}.{b64(signature(text, signer, str(algorithm)))}"


def signature(text: str, key: PrivateKeyTypes, algorithm: str) -> bytes:
    """The signature of header and claims."""
    kinds = jwt.algorithms.get_default_algorithms()
    return bytes(kinds[algorithm].sign(text.encode(), key))


def bearer(path: str, **changes: object) -> dict[str, str]:
    """The header of a good call, with other claims."""
    return {"Authorization": f"Bearer {signed(claims(path, **changes))}"}  # type: ignore[arg-type]
