"""JSON Web Keys: which ones can be trusted at all.

Knows: the kinds of keys and their least sizes; the key of the public CDS Hooks sandbox.
Must not know: where keys come from. Source: RFC 7517, RFC 7518; CDS Hooks 2.0, "Trusting CDS Clients".
"""

import base64
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
_CURVES: Final = {"P-256": "ES256", "P-384": "ES384"}
_LEAST_RSA_BITS: Final = 2048
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def key_problem(jwk: Any, *, sandbox: bool) -> str | None:
    """Why a key of a client cannot be used for signatures; None when it can."""
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or not jwk["kid"]:
        return "is no key with a kid"
    if _PRIVATE_MEMBERS & jwk.keys():
        return "holds a secret: a client gives its public key only, and this one can no longer be used"
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        return "is not for signatures"
    kind = jwk.get("kty")
    if kind == "EC":
        return _ec_problem(jwk, sandbox)
    if kind == "RSA":
        return _rsa_problem(jwk)
    return "is neither EC (P-384, P-256) nor RSA"


def _ec_problem(jwk: dict[str, Any], sandbox: bool) -> str | None:
    curve = jwk.get("crv")
    if curve not in _CURVES:
        return "is on another curve than P-384 and P-256"
    if not sandbox and str(jwk.get("x")).rstrip("=") in _EVERYBODYS:
        return "is the key of the public CDS Hooks sandbox, which anyone can have: in sandbox mode only"
    return _unreadable(jwk, _CURVES[str(curve)])


def _rsa_problem(jwk: dict[str, Any]) -> str | None:
    modulus = jwk.get("n")
    try:
        text = str(modulus)
        bits = int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))).bit_length()
    except ValueError:
        return "cannot be read as a key"
    return "is an RSA key of less than 2048 bits" if bits < _LEAST_RSA_BITS else _unreadable(jwk, "RS384")


def _unreadable(jwk: dict[str, Any], algorithm: str) -> str | None:
    try:
        PyJWK(jwk, algorithm)
    except (PyJWTError, ValueError, TypeError):
        return "cannot be read as a key"
    return None
