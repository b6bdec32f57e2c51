"""JSON Web Keys: which ones can be trusted at all, and which algorithms each is good for.

Knows: the kinds of keys and their least sizes; the key of the public CDS Hooks sandbox.
Must not know: where keys come from. Source: RFC 7517, RFC 7518; CDS Hooks 2.0, "Trusting CDS Clients".
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

SANDBOX_ISSUER: Final = "https://sandbox.cds-hooks.org"
# first coordinates of the keys of the public sandbox: the private halves lie in its repository, so anyone can sign
_EVERYBODYS: Final = frozenset(
    {
        "dw_JGR8nB2I6XveNxUOl2qk699ZPLM2nYI5STSdiEl9avAkrm3CkfYMbrrjr8laB",
        "QWI9fI8TcNtdikhVs_M1N_Szb7BOj19etvIKfrQMa9k",
        "q8Ftr50G2k2OPdge05jBkc6gC12Fq3Y-HyT21lEOty4",
    }
)
# kind of key and curve -> algorithms; never "none", never one with a shared secret
ALGORITHMS: Final[Mapping[tuple[str, str | None], tuple[str, ...]]] = {
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-256"): ("ES256",),
    ("RSA", None): ("RS384", "RS256"),
}
_LEAST_RSA_BITS: Final = 2048
_MOST_RSA_BITS: Final = 8192  # checking a signature of a giant costs its owner nothing and us a lot
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MOST_KEYS: Final = 100


class BadKey(Exception):
    """Why a key cannot be used, in words that hold nothing of the key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key. algorithms: those that it may check."""

    kid: str
    algorithms: tuple[str, ...]
    material: Any = field(repr=False)


def key_of(jwk: Any, *, sandbox: bool) -> Key:
    """The key of a client. sandbox: whether the public sandbox may be the client.

    Raises: BadKey.
    """
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        raise BadKey("is no key with a kid")
    if _PRIVATE_MEMBERS & jwk.keys():
        raise BadKey("holds a secret: a client gives its public key only, and this one can no longer be used")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise BadKey("is not for signatures")
    algorithms = _algorithms(jwk, sandbox)
    named = jwk.get("alg")
    if named is not None and named not in algorithms:
        raise BadKey(f"names an algorithm that is not one of its kind: {', '.join(algorithms)}")
    try:
        material = PyJWK(jwk, algorithms[0]).key
    except (PyJWTError, ValueError, TypeError):
        raise BadKey("cannot be read as a key") from None
    return Key(jwk["kid"], (named,) if named else algorithms, material)


def _algorithms(jwk: Mapping[str, Any], sandbox: bool) -> tuple[str, ...]:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        bits = _bits(jwk.get("n"))
        if bits < _LEAST_RSA_BITS:
            raise BadKey("is an RSA key of less than 2048 bits")
        if bits > _MOST_RSA_BITS:
            raise BadKey("is an RSA key of more than 8192 bits")
        return ALGORITHMS["RSA", None]
    if kind != "EC":
        raise BadKey("is neither EC (P-384, P-256) nor RSA")
    if ("EC", curve) not in ALGORITHMS:
        raise BadKey("is on another curve than P-384 and P-256")
    if not sandbox and str(jwk.get("x")).rstrip("=") in _EVERYBODYS:
        raise BadKey("is the key of the public CDS Hooks sandbox, which anyone can have: in sandbox mode only")
    return ALGORITHMS["EC", curve]


def _bits(modulus: Any) -> int:
    text = modulus if isinstance(modulus, str) else ""
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big").bit_length()
    except ValueError:
        return 0


def keys_of(document: Any, *, sandbox: bool) -> Sequence[Key] | None:
    """The usable keys of a fetched key set; None when it is no key set. A set may hold keys for other uses too."""
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list) or len(jwks) > _MOST_KEYS:
        return None
    found = []
    for jwk in jwks:
        try:
            found.append(key_of(jwk, sandbox=sandbox))
        except BadKey:
            continue
    return found
