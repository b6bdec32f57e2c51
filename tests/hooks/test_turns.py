"""How many calls are worked on at once, and what one too many is told."""

import threading
from datetime import datetime
from typing import Any

import pytest

from cds_service.app import create_app
from cds_service.hooks.refusal import HookError
from cds_service.hooks.turns import Turns
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant
from tests.calls import PATIENT_VIEW, healthy_call
from tests.conftest import NOW, Notes


def test_a_call_waits_for_its_turn_and_one_too_many_is_told_to_come_back() -> None:
    turns = Turns(at_once=1, waiting=1, patience_s=10)
    inside, leave, done = threading.Event(), threading.Event(), []

    def first() -> None:
        with turns.turn():
            inside.set()
            leave.wait(10)

    def second() -> None:
        with turns.turn():
            done.append("second")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait(10)
    threads[1].start()
    while turns._seats.acquire(blocking=False):  # until the second one has its seat
        turns._seats.release()
    with pytest.raises(HookError) as refused, turns.turn():
        pass
    assert (refused.value.status, refused.value.code, refused.value.headers) == (503, "throttled", {"Retry-After": "2"})
    assert done == []
    leave.set()
    for thread in threads:
        thread.join(10)
    assert done == ["second"]


def test_nobody_waits_longer_than_the_patience() -> None:
    turns = Turns(at_once=1, waiting=1, patience_s=0.05)
    with turns.turn(), pytest.raises(HookError) as refused, turns.turn():
        pass
    assert refused.value.status == 503
    with turns.turn():  # and the seat is free again
        pass


def test_a_call_that_fails_gives_its_turn_back() -> None:
    turns = Turns(at_once=1, waiting=0, patience_s=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn():
            raise ZeroDivisionError


def test_a_service_that_is_busy_answers_503_while_health_goes_on(catalog: Catalog) -> None:
    """The first call hangs at the clock; there is one turn and no seat."""
    inside, leave = threading.Event(), threading.Event()

    def clock() -> datetime:
        if threading.current_thread().name == "slow" and not inside.is_set():
            inside.set()
            leave.wait(10)
        return NOW

    settings = read_settings({}, database_url="", waiting_calls=0, blocking_threads=1)
    notes = Notes()
    app = create_app(settings, clock=clock, catalog=catalog, journal=notes, admit=lambda: Tenant(name="general"))
    call = healthy_call(fhirServer=...)
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(app.test_client().post(PATIENT_VIEW, json=call)), name="slow")
    slow.start()
    inside.wait(10)
    busy = app.test_client().post(PATIENT_VIEW, json=call)
    health = app.test_client().get("/healthz")
    leave.set()
    slow.join(10)
    assert (busy.status_code, busy.headers["Retry-After"]) == (503, "2")
    assert busy.get_json()["issue"][0]["code"] == "throttled"
    assert health.status_code == 200
    assert answers[0].status_code == 200
    assert sorted(entry.outcome for entry in notes.entries) == ["503", "decided"]
