"""A note of a call goes to all who take notes, and the trouble of one is nobody else's."""

import json
import logging
from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.errors import each_alone
from cds_service.logs import JsonLines
from tests.calls import PATIENT_VIEW, critical_call
from tests.conftest import Notes


def test_each_taker_gets_the_same_note() -> None:
    one: list[int] = []
    other: list[int] = []
    each_alone([one.append, other.append])(7)
    assert (one, other) == ([7], [7])


def test_a_taker_that_fails_touches_neither_the_others_nor_the_call(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_note: str) -> None:
        raise OSError("no room for Patient/p1")

    taken: list[str] = []
    takers: Sequence = [broken, taken.append, broken]
    each_alone(takers)("note")
    assert taken == ["note"]
    lines = [JsonLines().format(record) for record in caplog.records]
    assert [json.loads(line)["error"] for line in lines] == ["OSError", "OSError"]
    assert not any("p1" in line for line in lines)


def test_a_journal_that_raises_is_no_reason_not_to_answer(
    client: FlaskClient, notes: Notes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notes, "entries", None)  # so that its append fails
    with caplog.at_level(logging.ERROR):
        answer = client.post(PATIENT_VIEW, json=critical_call())
    assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 1)
    assert [record.getMessage() for record in caplog.records] == ["note lost"]
