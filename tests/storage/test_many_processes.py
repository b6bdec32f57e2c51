"""Feedback under fire: 32 clients, 4 worker processes, some of them killed in between, on SQLite and on PostgreSQL.

What a client was told is kept is in the store, and exactly once; what it sent again, for it was told nothing, too.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
import sqlalchemy as sa

from cds_service.server import free_port
from cds_service.storage.engine import engine_of
from cds_service.storage.schema import feedback, shown_card
from cds_service.storage.upgrade import upgrade
from tests.calls import PATIENT_VIEW, critical_call
from tests.storage.databases import Server

ROOT = Path(__file__).parents[2]
CLIENTS, WORKERS, KILLS, CALLS = 32, 4, 5, 12
# granian gives up on a worker that dies twice within 5.5 s; each of the four in turn comes round after 6.8 s
PAUSE = 1.7
PATIENCE = 180
pytestmark = [
    pytest.mark.store,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker processes in /proc: Linux only"),
]


@contextmanager
def serving(url: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Port and process id of a service on this database."""
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    told = {"CDS_DATABASE_URL": url, "CDS_LOG_LEVEL": "WARNING", "PYTHONPATH": str(ROOT)}
    told |= {"CDS_SNOOZE": "true", "CDS_HASH_KEY": "0123456789abcdef" * 2}
    command = [
        sys.executable,
        "-m",
        "cds_service",
        "serve",
        "--sandbox",
        "--workers",
        str(WORKERS),
        "--port",
        str(port),
    ]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=clean | told, stdout=log, stderr=log)  # noqa: S603
        try:
            until = time.monotonic() + PATIENCE
            while ask(port, "GET", "/readyz") != 200:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
            yield port, process.pid
            assert process.poll() is None, (folder / "log").read_text()
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def ask(port: int, method: str, path: str, body: object = None) -> int:
    """The status of the answer, 0 when there was none."""
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def workers_of(pid: int) -> list[int]:
    """The worker processes, the oldest first."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    stats = {int(child): Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split() for child in children}
    return sorted(stats, key=lambda child: int(stats[child][19]))


class Client:
    """Sends batches of feedback, each again until it is told that it is kept; two items of each go twice at least."""

    def __init__(self, port: int) -> None:
        self.kept: list[str] = []
        self.tries: Counter[int] = Counter()
        self.thread = threading.Thread(target=self._work, args=(port,))

    def _work(self, port: int) -> None:
        shared = [str(uuid.uuid4()), str(uuid.uuid4())]
        until = time.monotonic() + PATIENCE
        for _ in range(CALLS):
            cards = [*shared, *(str(uuid.uuid4()) for _ in range(3))]
            items = [
                {"card": card, "outcome": "overridden", "outcomeTimestamp": "2026-10-12T08:20:00Z"} for card in cards
            ]
            while time.monotonic() < until:
                status = ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": items})
                self.tries[status] += 1
                if status == 200:
                    self.kept += cards
                    break
                time.sleep(0.1)


def cards_in(url: str) -> Counter[str]:
    with engine_of(url, reads=True, pooled=False, wait=60).connect() as connection:
        return Counter(connection.scalars(sa.select(feedback.c.card)).all())


def test_every_item_that_was_acknowledged_is_in_the_store_once_although_workers_are_killed(
    empty: str, tmp_path: Path
) -> None:
    upgrade(empty)
    with serving(empty, tmp_path) as (port, pid):
        clients = [Client(port) for _ in range(CLIENTS)]
        for client in clients:
            client.thread.start()
        killed = []
        until = time.monotonic() + PATIENCE
        while any(client.thread.is_alive() for client in clients) or len(killed) < KILLS:
            assert time.monotonic() < until, killed
            if len(killed) < KILLS and len(workers := workers_of(pid)) == WORKERS:
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])
            time.sleep(PAUSE)
    tries = sum((client.tries for client in clients), Counter())
    kept = {card for client in clients for card in client.kept}
    assert len(kept) == CLIENTS * (2 + 3 * CALLS), tries
    assert len(set(killed)) == KILLS
    assert set(tries) <= {200, 503, 0}, tries
    found = cards_in(empty)
    assert kept == set(found)
    assert set(found.values()) == {1}


def test_every_card_that_goes_out_of_several_processes_is_on_record(empty: str, tmp_path: Path) -> None:
    upgrade(empty)
    with serving(empty, tmp_path) as (port, _):
        assert {ask(port, "POST", PATIENT_VIEW, critical_call()) for _ in range(20)} == {200}
        time.sleep(3)
    with engine_of(empty, reads=True, pooled=False).connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(shown_card)) == 20


def test_a_server_that_is_away_refuses_feedback_shows_cards_and_counts_what_it_lost(
    server: Server, tmp_path: Path
) -> None:
    url = server.new_database()
    upgrade(url)
    item = {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-10-12T08:20:00Z"}
    with serving(url, tmp_path) as (port, _):
        assert ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) == 200
        server.stop()
        try:
            started = time.monotonic()
            assert ask(port, "POST", PATIENT_VIEW, critical_call()) == 200
            assert time.monotonic() - started < 5
            assert ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) == 503
            time.sleep(2)
        finally:
            server.start()
        until = time.monotonic() + 30
        while ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
    assert set(cards_in(url).values()) == {1}
    events = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    assert sum(event.get("lost_cards", 0) for event in events) == 1
    assert {event["event"] for event in events} >= {"journal failed", "feedback refused", "acknowledgements unknown"}


def test_a_server_that_stands_still_holds_up_no_card_for_long_and_no_feedback_is_acknowledged(
    server: Server, tmp_path: Path
) -> None:
    url = server.new_database()
    upgrade(url)
    item = {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-10-12T08:20:00Z"}
    with serving(url, tmp_path) as (port, _):
        assert ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) == 200
        with server.standing_still():
            started = time.monotonic()
            assert ask(port, "POST", PATIENT_VIEW, critical_call()) == 200
            assert time.monotonic() - started < 5
            assert ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) == 503
            assert time.monotonic() - started < 15
        assert ask(port, "POST", f"{PATIENT_VIEW}/feedback", {"feedback": [item]}) == 200
    assert set(cards_in(url).values()) == {1}
