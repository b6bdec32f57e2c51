"""Keys that are fetched: when, from whom, for how long. The server is a real one on this machine."""

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.outgoing.session import new_session
from cds_service.trust.jwks import Key
from cds_service.trust.key_fetch import fetch_keys
from cds_service.trust.key_sets import KeySet, NoKeys, Times
from tests.calls import PATIENT_VIEW, healthy_call
from tests.trust.conftest import Guarded
from tests.trust.key_server import KeyServer
from tests.trust.keys import SANDBOX_KEY, claims, ec_key, key_set, public, rsa_key, signed


def fetched(address: str) -> Any:
    found = fetch_keys(address, new_session(), time.monotonic, sandbox=False)
    return None if found is None else [key.kid for key in found]


def call(service: FlaskClient, kid: str = "k1", key: Any = None, **header: object) -> int:
    token = signed(claims(PATIENT_VIEW), key or ec_key(), {"kid": kid} | header)
    headers = {"Authorization": f"Bearer {token}"}
    return service.post(PATIENT_VIEW, json=healthy_call(fhirServer=...), headers=headers).status_code


@pytest.fixture
def service(guarded: Guarded, keys: KeyServer) -> FlaskClient:
    return guarded(keys=f'jwks_urls = ["{keys.address}"]')


# ---- through the service


def test_keys_are_fetched_once_and_not_again_for_each_call(service: FlaskClient, keys: KeyServer) -> None:
    assert keys.asked == 0
    assert {call(service) for _ in range(5)} == {200}
    assert {call(service, jku=keys.address) for _ in range(5)} == {200}
    assert keys.asked == 1


def test_ch_123_a_new_key_is_found_as_soon_as_it_is_used(service: FlaskClient, keys: KeyServer) -> None:
    assert call(service) == 200
    keys.body = key_set(public(ec_key("two"), kid="k2")).encode()
    assert call(service, "k2", ec_key("two")) == 200
    assert keys.asked == 2
    # the old key is gone with the set that held it
    assert call(service, "k1") == 401


def test_ch_123_made_up_kids_lead_to_one_fetch_at_most(service: FlaskClient, keys: KeyServer) -> None:
    assert call(service) == 200
    assert {call(service, f"made-up-{number}") for number in range(20)} == {401}
    assert keys.asked == 2


def test_a_key_server_that_is_away_gives_503_and_a_time_to_come_back(service: FlaskClient, keys: KeyServer) -> None:
    keys.status = 500
    token = signed(claims(PATIENT_VIEW))
    answer = service.post(PATIENT_VIEW, json={}, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["issue"][0]["code"] == "transient"
    assert call(service) == 503
    assert keys.asked == 1  # not asked again at once


def test_one_of_two_key_addresses_is_enough(guarded: Guarded, keys: KeyServer) -> None:
    service = guarded(keys=f'jwks_urls = ["http://127.0.0.1:9/jwks.json", "{keys.address}"]')
    assert call(service) == 200
    assert call(service, "unknown") == 503  # the other one might have it


# ---- what is taken from a key server


def test_a_set_may_hold_other_keys_too(keys: KeyServer) -> None:
    others = (public(ec_key(), kid="enc", use="enc"), {"kty": "oct", "kid": "s", "k": "AAAA"}, {}, SANDBOX_KEY)
    keys.body = key_set(public(rsa_key(), kid="r1"), *others, public(ec_key())).encode()
    assert fetched(keys.address) == ["r1", "k1"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"keys": 3}', b"\xff", b"[" * 200_000, b'{"keys": [' + b"{}," * 100 + b"{}]}", b"<html>"],
)
def test_what_is_no_key_set_is_no_answer(keys: KeyServer, body: bytes) -> None:
    keys.body = body
    assert fetched(keys.address) is None


@pytest.mark.parametrize("status", [204, 301, 401, 404, 500])
def test_another_status_is_no_answer(keys: KeyServer, status: int) -> None:
    keys.status = status
    assert fetched(keys.address) is None


def test_a_redirect_is_not_followed(keys: KeyServer) -> None:
    keys.status, keys.headers = 302, {"Location": keys.address + "?other"}
    assert fetched(keys.address) is None
    assert keys.asked == 1


def test_an_endless_set_is_left(keys: KeyServer) -> None:
    keys.body = b" " * 300_000 + keys.body
    assert fetched(keys.address) is None


def test_a_dripping_server_is_left_at_the_deadline(keys: KeyServer) -> None:
    keys.drip_s = 0.2
    started = time.monotonic()
    assert fetched(keys.address) is None
    assert time.monotonic() - started < 3


# ---- how long keys are kept


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def some(*kids: str) -> Callable[[], list[Key]]:
    return lambda: [Key(kid, ("ES384",), None) for kid in kids]


class Source:
    """Stands for a key server in tests of time."""

    def __init__(self, *kids: str) -> None:
        self.kids: tuple[str, ...] | None = kids
        self.asked = 0
        self.done = threading.Event()

    def __call__(self) -> list[Key] | None:
        self.asked += 1
        try:
            return None if self.kids is None else some(*self.kids)()
        finally:
            self.done.set()


def settled(source: Source, asked: int) -> None:
    deadline = time.monotonic() + 5
    while source.asked < asked and time.monotonic() < deadline:
        time.sleep(0.005)
    time.sleep(0.05)
    assert source.asked == asked


def test_fresh_keys_are_not_fetched_again() -> None:
    clock, source = Clock(), Source("a")
    kept = KeySet(source, clock)
    assert kept.find("a") is not None
    clock.now += 300
    assert kept.find("a") is not None
    settled(source, 1)


def test_a_revoked_key_is_refused_after_five_minutes_at_the_latest_while_calls_go_on() -> None:
    clock, source = Clock(), Source("a")
    kept = KeySet(source, clock)
    kept.find("a")
    source.kids = ("b",)
    clock.now += 301
    deadline = time.monotonic() + 5
    while kept.find("a") is not None:  # no call waits for the fetch on the side, so the first ones may still find it
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_revoked_key_is_refused_at_once_after_a_quiet_time() -> None:
    clock, source = Clock(), Source("a")
    kept = KeySet(source, clock)
    kept.find("a")
    source.kids = ("b",)
    clock.now += 601
    assert kept.find("a") is None


def test_keys_are_used_for_a_day_when_no_others_can_be_had() -> None:
    clock, source = Clock(), Source("a")
    kept = KeySet(source, clock)
    kept.find("a")
    source.kids = None
    clock.now += 24 * 3600
    assert kept.find("a") is not None
    clock.now += 1
    with pytest.raises(NoKeys):
        kept.find("a")


def test_after_a_failure_there_is_a_pause() -> None:
    clock, source = Clock(), Source()
    source.kids = None
    kept = KeySet(source, clock)
    for _ in range(3):
        with pytest.raises(NoKeys):
            kept.find("a")
    assert source.asked == 1
    clock.now, source.kids = clock.now + 5, ("a",)
    assert kept.find("a") is not None


def test_a_call_waits_a_bounded_time_for_a_key_server_that_hangs() -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(10)

    kept = KeySet(hang, time.monotonic, Times(wait=0.1))
    started = time.monotonic()
    for _ in range(3):
        with pytest.raises(NoKeys):
            kept.find("a")
    assert time.monotonic() - started < 2
    release.set()


def test_a_fetch_that_never_ends_does_not_keep_others_from_being_begun() -> None:
    clock, source, release = Clock(), Source("a"), threading.Event()
    hanging = [True]

    def fetch() -> Any:
        if hanging:
            hanging.clear()
            release.wait(20)
            return None
        return source()

    kept = KeySet(fetch, clock, Times(wait=0.1))
    with pytest.raises(NoKeys):
        kept.find("a")
    clock.now += 29
    with pytest.raises(NoKeys):
        kept.find("a")
    clock.now += 2
    deadline = time.monotonic() + 5
    while kept._fetched_at < 0 and time.monotonic() < deadline:
        with suppress(NoKeys):
            kept.find("a")
    assert kept.find("a") is not None
    release.set()


def test_calls_at_once_lead_to_one_fetch() -> None:
    source = Source("a")
    slow = threading.Event()

    def fetch() -> Any:
        slow.wait(0.2)
        return source()

    kept = KeySet(fetch, time.monotonic)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(kept.find("a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert (len(found), None in found, source.asked) == (8, False, 1)


def test_keys_of_a_made_up_set_are_read_as_json_only(keys: KeyServer) -> None:
    keys.body = json.dumps({"keys": [public(ec_key())], "other": 1}).encode()
    assert fetched(keys.address) == ["k1"]
