"""Ten megabytes of noise cost less than a second of one core, whatever is in them, and never give a 5xx.

Wrong data for a real patient are another matter: they stand in the tests of fhir/. Here the body means harm.
"""

import json
import random
import time
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from tests.calls import PATIENT_VIEW, calcium, critical_call

SIZE = 10_000_000


def filled(text: str) -> bytes:
    """So often the text, with commas, that it comes to the size."""
    return (text + ("," + text) * (SIZE // (len(text) + 1) - 1)).encode()


def body(**changes: object) -> bytes:
    return json.dumps(critical_call(fhirServer=..., **changes)).encode()


def under_a_key(value: bytes) -> bytes:
    call = critical_call(fhirServer=...)
    call["prefetch"] = {**call["prefetch"], "noise": "@"}  # type: ignore[dict-item]
    return json.dumps(call).encode().replace(b'"@"', value)


def entries(text: str) -> bytes:
    return under_a_key(b'{"resourceType":"Bundle","type":"searchset","entry":[' + filled(text) + b"]}")


def keys(text: str) -> bytes:
    many = b"".join(b'"k%d":%s,' % (number, text.encode()) for number in range(SIZE // 14))
    return body().replace(b'"prefetch": {', b'"prefetch": {' + many)


NOISE: dict[str, Callable[[], bytes]] = {
    "random bytes": lambda: random.Random(1).randbytes(SIZE),  # noqa: S311
    "blanks": lambda: b" " * SIZE,
    "open arrays": lambda: b"[" * SIZE,
    "open objects": lambda: b'{"a":' * (SIZE // 5),
    "deep under a key": lambda: under_a_key(b"[" * (SIZE // 2) + b"]" * (SIZE // 2)),
    "many deep ones": lambda: under_a_key(b"[" + filled("[" * 900 + "]" * 900) + b"]"),
    "a member of objects": lambda: body()[:-1] + b', "x": [' + filled("{}") + b"]}",
    "a long string": lambda: body()[:-1] + b', "x": "' + b"a" * SIZE + b'"}',
    "a long number": lambda: body()[:-1] + b', "x": ' + b"9" * SIZE + b"}",
    "escapes": lambda: body()[:-1] + b', "x": "' + b"\\u00e9" * (SIZE // 6) + b'"}',
    "a bad byte at the end": lambda: body()[:-1] + b', "x": "' + "é".encode() * (SIZE // 2) + b'\xff"}',
    "keys": lambda: keys("{}"),
    "keys of null": lambda: keys("null"),
    "entries of nothing": lambda: entries("{}"),
    "entries of null": lambda: entries("null"),
    "entries of empty resources": lambda: entries('{"resource":{}}'),
    "entries of unknown resources": lambda: entries('{"resource":{"resourceType":"X"}}'),
    "empty observations": lambda: entries('{"resource":{"resourceType":"Observation"}}'),
    "empty conditions": lambda: entries('{"resource":{"resourceType":"Condition"}}'),
    "bundles of bundles": lambda: entries('{"resource":{"resourceType":"Bundle","entry":[null]}}'),
    "one calcium, again and again": lambda: entries(json.dumps({"resource": calcium(10.5)})),
}


@pytest.mark.parametrize("name", NOISE)
def test_ten_megabytes_of_noise_cost_less_than_a_second_of_one_core(production: FlaskClient, name: str) -> None:
    noise = NOISE[name]()
    assert len(noise) > 0.9 * SIZE
    started = time.process_time()
    answer = production.post(PATIENT_VIEW, data=noise, content_type="application/json")
    assert time.process_time() - started < 1
    assert answer.status_code in {200, 400, 412}
    assert b"Infinity" not in answer.data


def test_more_resources_than_are_read_are_a_failure_and_not_silence(production: FlaskClient) -> None:
    call = critical_call(fhirServer=...)
    whole = {**call["prefetch"]}  # type: ignore[dict-item]
    for key in whole:
        if key != "patient":
            whole[key] = {"resourceType": "Bundle", "entry": [{}] * 50_001}
    answer = production.post(PATIENT_VIEW, json=call | {"prefetch": whole})
    assert answer.status_code == 412
    assert "more resources than this service reads" in answer.get_json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(("keys", "expected"), [(200, 200), (201, 400)])
def test_no_more_than_200_prefetch_keys_are_read(production: FlaskClient, keys: int, expected: int) -> None:
    call = critical_call(fhirServer=...)
    held = call["prefetch"]
    assert isinstance(held, dict)
    more = {f"k{number}": None for number in range(keys - len(held))}
    answer = production.post(PATIENT_VIEW, json=call | {"prefetch": held | more})
    assert answer.status_code == expected
