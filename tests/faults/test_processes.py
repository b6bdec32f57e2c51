"""The real server: workers that are killed, an end while calls are under way, numbers of all workers together."""

import json
import os
import signal
import socket
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.calls import PATIENT_VIEW, critical_call
from tests.test_app import ask, serving

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers by /proc (Linux)")
BODY = json.dumps(critical_call()).encode()


def workers_of(server: int) -> list[int]:
    """The process ids of the workers, oldest first."""
    return [int(pid) for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split()]


def counted(port: int) -> float:
    text = ask(port, "GET", "/metrics")[1].decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "cds_calls_total" and sample.labels["outcome"] == "decided"
    )


def answered(port: int) -> int:
    """The status, 0 when the connection broke."""
    try:
        return ask(port, "POST", PATIENT_VIEW, BODY)[0]
    except OSError:
        return 0


def test_a_killed_worker_is_replaced_and_no_number_is_lost(tmp_path: Path) -> None:
    with serving(tmp_path, CDS_DATABASE_URL="", CDS_LOG_LEVEL="ERROR") as (port, process):
        assert [answered(port) for _ in range(20)] == [200] * 20
        before = workers_of(process.pid)
        assert len(before) == 2
        for pid in before:
            os.kill(pid, signal.SIGKILL)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and (pid in workers_of(process.pid) or len(workers_of(process.pid)) < 2):
                time.sleep(0.05)
        assert len(workers_of(process.pid)) == 2
        assert set(before).isdisjoint(workers_of(process.pid))
        assert [answered(port) for _ in range(10)] == [200] * 10
        assert counted(port) == 30


class Slow(BaseHTTPRequestHandler):
    """A FHIR server that takes its time and has nothing."""

    asked = threading.Event()

    def do_GET(self) -> None:
        type(self).asked.set()
        time.sleep(1)
        body = b'{"resourceType": "Bundle", "type": "searchset", "entry": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_the_end_waits_for_calls_under_way_and_their_records(tmp_path: Path) -> None:
    fhir = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=fhir.serve_forever, daemon=True).start()
    call = critical_call(fhirServer=f"http://127.0.0.1:{fhir.server_port}/fhir")
    del call["prefetch"]["conditions"]
    statuses: list[int] = []
    try:
        with serving(tmp_path) as (port, process):
            asking = threading.Thread(
                target=lambda: statuses.append(ask(port, "POST", PATIENT_VIEW, json.dumps(call).encode())[0])
            )
            asking.start()
            assert Slow.asked.wait(20)
            process.send_signal(signal.SIGTERM)
            asking.join(20)
            process.communicate(timeout=20)
    finally:
        fhir.shutdown()
        fhir.server_close()
    assert statuses == [200]
    assert process.returncode == 0
    with sqlite3.connect(tmp_path / "var" / "journal.sqlite3") as connection:
        assert connection.execute("select outcome, cards from decision").fetchall() == [("decided", 1)]
    connection.close()


def test_callers_that_send_nothing_do_not_keep_others_from_being_served(tmp_path: Path) -> None:
    with serving(tmp_path, CDS_DATABASE_URL="", CDS_LOG_LEVEL="ERROR") as (port, _):
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for each in idle:
            each.sendall(b"POST /cds-services/x HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{")
        began = time.monotonic()
        assert answered(port) == 200
        assert time.monotonic() - began < 5
        for each in idle:
            each.close()
