"""What strangers try, and that it fails: the table of docs/security.md names these tests.

A refused caller gets 401 and the same words whatever was wrong; nothing of what it sent comes back or is logged.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from flask.testing import FlaskClient

from cds_service.logs import JsonLines
from tests.calls import PATIENT_VIEW, healthy_call
from tests.conftest import NOW, Notes
from tests.trust.conftest import Guarded
from tests.trust.key_server import KeyServer
from tests.trust.keys import (
    BASE,
    ISSUER,
    SANDBOX_KEY,
    b64,
    bearer,
    claims,
    ec_key,
    key_set,
    public,
    rsa_key,
    signature,
    signed,
)

CALL: dict[str, Any] = healthy_call(fhirServer=...)
MARK = "zq7stranger"
HUGE_NUMBER = '{"a": ' + "9" * 5000 + "}"


class Heard(logging.Handler):
    """Keeps all that is logged."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(JsonLines().format(record) + repr(record.__dict__))


@pytest.fixture(autouse=True)
def heard() -> Iterator[Heard]:
    """Whatever is tried, nothing of it may be logged."""
    handler, root = Heard(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    assert MARK not in "".join(handler.lines)


def refused(service: FlaskClient, token: str | bytes | None, path: str = PATIENT_VIEW, **more: Any) -> str:
    """The reason in the log; checks that the answer is the one that every stranger gets. Bytes are the whole header."""
    headers = (
        {} if token is None else {"Authorization": f"Bearer {token}" if isinstance(token, str) else token.decode()}
    )
    reasons: list[str] = []

    class Reason(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reasons.append(getattr(record, "reason", ""))

    log, handler = logging.getLogger("cds_service.hooks.admission"), Reason()
    log.addHandler(handler)
    try:
        answer = service.post(path, **({"json": CALL, "headers": headers} | more))
    finally:
        log.removeHandler(handler)
    assert answer.status_code == 401, answer.data
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.get_json() == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "login",
                "diagnostics": "The caller did not prove to be a client of this service.",
            }
        ],
    }
    if token:
        assert str(token)[-20:] not in str(answer.headers)
    (reason,) = reasons
    return reason


def made(said: dict[str, object] | str, header: dict[str, object] | str, tail: str = "") -> str:
    """A token by hand."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in (header, said)]
    return f"{b64(texts[0])}.{b64(texts[1])}.{tail}"


# ---- signatures


def test_a_token_signed_with_another_key_is_refused(service: FlaskClient) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW), ec_key("stranger"))) == "signature does not hold"
    assert (
        refused(service, signed(claims(PATIENT_VIEW), rsa_key("stranger"), {"kid": "r1"})) == "signature does not hold"
    )


def test_a_token_whose_claims_were_changed_is_refused(service: FlaskClient) -> None:
    head, _, tail = signed(claims(PATIENT_VIEW)).split(".")
    assert refused(service, f"{head}.{b64(json.dumps(claims(PATIENT_VIEW)))}.{tail}") == "signature does not hold"


@pytest.mark.parametrize("tail", ["AAAA", "A" * 128, b64(b"\0" * 96), b64(b"\xff" * 96)])
def test_a_made_up_signature_is_refused(service: FlaskClient, tail: str) -> None:
    head, payload, _ = signed(claims(PATIENT_VIEW)).split(".")
    assert refused(service, f"{head}.{payload}.{tail}") == "signature does not hold"


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None, 3, ["ES384"], {"a": 1}])
def test_a_token_without_signature_is_refused_however_none_is_spelt(service: FlaskClient, name: object) -> None:
    head = {"alg": name, "typ": "JWT", "kid": "k1"}
    for tail in ("", b64(MARK), signed(claims(PATIENT_VIEW)).split(".")[2]):
        assert refused(service, made(claims(PATIENT_VIEW), head, tail)) in {"alg is not allowed", "no bearer token"}


def secrets_of_the_public_key() -> list[bytes]:
    """The public key in each form in which it could be taken for a shared secret."""
    forms = []
    for key in (ec_key(), rsa_key()):
        for encoding in (serialization.Encoding.PEM, serialization.Encoding.DER):
            text = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
            forms += [text, text.strip()]
        forms.append(json.dumps(public(key)).encode())
    return [*forms, b"", b"secret", public(rsa_key())["n"].encode()]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("kid", ["k1", "r1"])
def test_a_token_signed_with_the_public_key_as_secret_is_refused(
    service: FlaskClient, algorithm: str, kid: str
) -> None:
    for secret in secrets_of_the_public_key():
        text = made(claims(PATIENT_VIEW), {"alg": algorithm, "typ": "JWT", "kid": kid})[:-1]
        tail = hmac.new(secret, text.encode(), getattr(hashlib, f"sha{algorithm[2:]}")).digest()
        assert refused(service, f"{text}.{b64(tail)}") == "alg is not allowed"


@pytest.mark.parametrize(
    ("algorithm", "kid"),
    [("RS384", "k1"), ("ES384", "r1"), ("ES256", "k1"), ("ES384", "p256"), ("RS256", "r1"), ("PS384", "r1")],
)
def test_a_key_of_another_kind_than_the_algorithm_is_refused(guarded: Guarded, algorithm: str, kid: str) -> None:
    service = guarded(**{"token_algorithms": "ES384,RS384,ES256"})
    keys = {"k1": ec_key(), "r1": rsa_key(), "p256": ec_key(curve="P-256")}
    head = {"alg": algorithm, "typ": "JWT", "kid": kid}
    text = made(claims(PATIENT_VIEW), head)[:-1]
    signer = (
        keys[kid]
        if algorithm in {"RS256", "PS384"}
        else {"RS384": rsa_key(), "ES384": ec_key()}.get(algorithm, ec_key(curve="P-256"))
    )
    token = f"{text}.{b64(signature(text, signer, algorithm))}"
    assert refused(service, token) in {"alg does not fit the key", "alg is not allowed"}


def test_a_header_that_asks_for_unknown_rules_is_refused(service: FlaskClient) -> None:
    for extra in ({"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}, {"b64": False}):
        token = signed(claims(PATIENT_VIEW), header=extra)  # type: ignore[arg-type]
        assert refused(service, token) in {"crit asks for what is not known here", "signature does not hold"}


# ---- keys


@pytest.mark.parametrize(
    "kid", [None, "", 3, ["k1"], {"a": "k1"}, "unknown", "../../k1", "k1\0", "' OR 1=1", "k" * 300]
)
def test_a_token_with_an_unknown_or_hostile_kid_is_refused(service: FlaskClient, kid: object) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW), header={"kid": kid})) in {"kid is unknown", "kid lacks"}


def test_keys_of_an_address_that_is_not_the_clients_are_never_fetched(guarded: Guarded, keys: KeyServer) -> None:
    """The stranger runs a key server and signs with the key that it serves; the real address is another."""
    keys.body = key_set(public(ec_key("stranger"))).encode()
    for service in (guarded(), guarded(keys='jwks_urls = ["https://ehr.example.org/jwks.json"]')):
        for address in (keys.address, f"https://ehr.example.org@{keys.address[7:]}", f"{keys.address}#x", "", 3, ["x"]):
            token = signed(claims(PATIENT_VIEW), ec_key("stranger"), {"jku": address})
            assert refused(service, token) == "jku is not the client's"
    assert keys.asked == 0


def test_a_key_that_the_token_brings_along_is_never_used(service: FlaskClient, keys: KeyServer) -> None:
    stranger = ec_key("stranger")
    own = public(stranger)
    for extra in ({"jwk": own}, {"x5u": keys.address}, {"x5c": ["MIIB"]}, {"jwk": own, "kid": "k1"}):
        token = signed(claims(PATIENT_VIEW), stranger, extra)  # type: ignore[arg-type]
        assert refused(service, token) == "signature does not hold"
    assert keys.asked == 0


def test_the_key_of_the_public_sandbox_opens_nothing(guarded: Guarded, keys: KeyServer) -> None:
    """Its private half is public. A client that serves it as its own is no client outside sandbox mode."""
    keys.body = key_set(SANDBOX_KEY).encode()
    service = guarded(keys=f'jwks_urls = ["{keys.address}"]')
    kid = SANDBOX_KEY["kid"]
    assert refused(service, signed(claims(PATIENT_VIEW), ec_key("stranger"), {"kid": kid})) == "kid is unknown"
    said = claims(PATIENT_VIEW, iss="https://sandbox.cds-hooks.org")
    assert refused(service, signed(said, ec_key("stranger"), {"kid": kid})) == "iss is not a client's"


def test_a_key_of_one_client_does_not_open_the_door_of_another(guarded: Guarded, keys: KeyServer) -> None:
    keys.body = key_set(public(ec_key("other"), kid="k1")).encode()
    service = guarded(f'[clients.other]\nissuers = ["https://other.example.org"]\njwks_urls = ["{keys.address}"]')
    assert refused(service, signed(claims(PATIENT_VIEW), ec_key("other"))) == "signature does not hold"
    assert refused(service, signed(claims(PATIENT_VIEW), ec_key("other"), {"jku": keys.address})) == (
        "jku is not the client's"
    )


# ---- claims


@pytest.mark.parametrize(
    "issuer",
    ["", f"{ISSUER}/", ISSUER.upper(), "https://ehr.example.org", f"{ISSUER}\0", None, 3, [ISSUER], {ISSUER: 1}],
)
def test_a_token_of_an_unknown_issuer_is_refused(service: FlaskClient, issuer: object) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, iss=issuer))) == "iss is not a client's"


@pytest.mark.parametrize(
    "audience",
    [
        "",
        BASE,
        f"{BASE}/",
        f"{BASE}/cds-services",
        f"{BASE}{PATIENT_VIEW}/",
        f"{BASE}{PATIENT_VIEW}/feedback",
        f"{BASE}{PATIENT_VIEW}?x",
        f"http://cds.example.org{PATIENT_VIEW}",
        f"https://other.example.org{PATIENT_VIEW}",
        PATIENT_VIEW,
        None,
        3,
        [],
        [[BASE + PATIENT_VIEW]],
        {BASE + PATIENT_VIEW: 1},
    ],
)
def test_a_token_for_another_address_is_refused(service: FlaskClient, audience: object) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, aud=audience))) == "aud is another address"


def test_an_expired_token_is_refused(service: FlaskClient) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, exp=NOW.timestamp() - 61))) == "expired"


def test_a_token_from_the_future_is_refused(service: FlaskClient) -> None:
    late = NOW.timestamp() + 120
    assert refused(service, signed(claims(PATIENT_VIEW, iat=late))) == "from the future"
    assert refused(service, signed(claims(PATIENT_VIEW, nbf=late))) == "from the future"


def test_a_token_for_ever_is_refused(service: FlaskClient) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, exp=NOW.timestamp() + 1e8))) == "lives longer than an hour"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1", True, None, [1], 1e300, -1e300, float("nan"), float("inf"), 10**400])
def test_a_time_that_is_none_is_refused(service: FlaskClient, name: str, value: object) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, **{name: value}))) in {  # type: ignore[arg-type]
        f"{name} is no time",
        "expired",
        "lives longer than an hour",
        "from the future",
    }


def test_a_token_counts_once(service: FlaskClient) -> None:
    headers = bearer(PATIENT_VIEW)
    assert service.post(PATIENT_VIEW, json=CALL, headers=headers).status_code == 200
    assert refused(service, headers["Authorization"].removeprefix("Bearer ")) == "seen before"
    # the same id in another token is a replay too
    first = signed(claims(PATIENT_VIEW, jti="one"))
    assert service.post(PATIENT_VIEW, json=CALL, headers={"Authorization": f"Bearer {first}"}).status_code == 200
    assert refused(service, signed(claims(PATIENT_VIEW, jti="one", exp=NOW.timestamp() + 200))) == "seen before"


@pytest.mark.parametrize("token_id", ["", 3, None, ["a"], "a" * 257])
def test_a_token_without_a_usable_id_is_refused(service: FlaskClient, token_id: object) -> None:
    assert refused(service, signed(claims(PATIENT_VIEW, jti=token_id))) == "jti is no id"


def test_a_token_with_the_same_claim_twice_is_refused(service: FlaskClient) -> None:
    said = json.dumps(claims(PATIENT_VIEW))[:-1] + f', "aud": "{BASE}{PATIENT_VIEW}"}}'
    text = made(said, {"alg": "ES384", "typ": "JWT", "kid": "k1"})[:-1]
    assert refused(service, f"{text}.{b64(signature(text, ec_key(), 'ES384'))}") == "token is no JWT"


# ---- where and how a token is sent


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {b64('user:' + MARK)}",
        f"Bearer {MARK}",
        f"Bearer {MARK}.{MARK}",
        f"Bearer {MARK}.{MARK}.{MARK}",
        "Bearer ..",
        "Bearer a.b.c.d",
        "Digest x",
        f"Bearer {'a' * 9000}.b.c",
        f"Bearer {b64('[' * 3000)}.{b64('{}')}.x",
        f"Bearer {b64('{}')}.{b64('[' * 3000)}.x",
        f"Bearer {b64('[]')}.{b64('[]')}.x",
        f"Bearer {b64(bytes([255]))}.{b64('{}')}.x",
        f"Bearer {b64(HUGE_NUMBER)}.{b64('{}')}.x",
        "Bearer é.ü.ö",
    ],
)
def test_what_is_no_token_is_refused(service: FlaskClient, header: str) -> None:
    assert refused(service, header.encode()) in {
        "no bearer token",
        "token is no JWT",
        "token is too long",
        "iss is not a client's",
    }


def test_two_tokens_are_refused(service: FlaskClient) -> None:
    one, two = signed(claims(PATIENT_VIEW)), signed(claims(PATIENT_VIEW))
    assert refused(service, f"{one}, Bearer {two}") == "no bearer token"
    lines = [("Authorization", f"Bearer {one}"), ("Authorization", f"Bearer {two}")]
    assert refused(service, None, headers=lines) in {"no bearer token", "token is too long"}


def test_a_token_in_the_address_or_the_body_is_no_token(service: FlaskClient) -> None:
    token = signed(claims(PATIENT_VIEW))
    assert refused(service, None, path=f"{PATIENT_VIEW}?access_token={token}") == "no bearer token"
    assert refused(service, None, data={"access_token": token}, json=None) == "no bearer token"


def test_a_stranger_learns_nothing_of_its_body_and_costs_no_reading(service: FlaskClient, notes: Notes) -> None:
    assert refused(service, None, data=b"\xff" * 5_000_000, json=None) == "no bearer token"
    assert notes.entries[0].hook_instance_hash is None
