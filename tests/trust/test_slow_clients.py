"""Callers that send slowly, against the real server: what they hold, and that others are served meanwhile.

The server cannot bound the time of a body (docs/operations.md, "The proxy in front").
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cds_service import server
from cds_service.storage.upgrade import upgrade
from tests.calls import PATIENT_VIEW, critical_call
from tests.test_app import ROOT, ask, serving
from tests.trust.keys import BASE, ISSUER, bearer, ec_key, key_set, public

BODY = json.dumps(critical_call(fhirServer=...)).encode()
START = f"POST {PATIENT_VIEW} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n{{"


@contextmanager
def slow(port: int, count: int, start: str = START) -> Iterator[list[socket.socket]]:
    """So many callers that begin a call and never end it."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]
        for each in sockets:
            each.sendall(start.encode())
        time.sleep(0.5)
        yield sockets


@contextmanager
def guarded(folder: Path) -> Iterator[int]:
    """A server with one client and without sandbox mode."""
    (folder / "keys.json").write_text(key_set(public(ec_key())))
    (folder / "tenants.toml").write_text(f'[clients.general]\nissuers = ["{ISSUER}"]\njwks_file = "keys.json"\n')
    url = f"sqlite:///{folder}/journal.sqlite3"
    upgrade(url)
    port = server.free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")} | {
        "PYTHONPATH": str(ROOT),
        "CDS_TENANTS_FILE": str(folder / "tenants.toml"),
        "CDS_PUBLIC_URL": BASE,
        "CDS_DATABASE_URL": url,
    }
    process = subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "cds_service", "serve", "--port", str(port)],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if ask(port, "GET", "/readyz")[0] == 200:
                    break
            except OSError:
                time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def token() -> dict[str, str]:
    return bearer(PATIENT_VIEW, now=datetime.now(UTC))


def test_strangers_that_send_slowly_hold_nothing(tmp_path: Path) -> None:
    """Who shows no token is refused before the body, and the connection is closed. And a token opens, once."""
    with guarded(tmp_path) as port, slow(port, 100) as sockets:
        began = time.monotonic()
        good = token()
        assert ask(port, "POST", PATIENT_VIEW, BODY, **good)[0] == 200
        assert ask(port, "POST", PATIENT_VIEW, BODY, **good)[0] == 401  # by whichever process
        assert time.monotonic() - began < 5
        for each in sockets:
            each.settimeout(5)
            answer = each.recv(65536)
            assert answer.startswith(b"HTTP/1.1 401")
            while answer:
                answer = each.recv(65536)  # until the end: the connection is closed


def test_slow_senders_hold_no_turn(tmp_path: Path) -> None:
    """In sandbox mode nobody is refused: slow callers hold a thread each of the 20 of a process; others are served."""
    with serving(tmp_path, CDS_DATABASE_URL="", CDS_LOG_LEVEL="ERROR") as (port, _), slow(port, 16):
        began = time.monotonic()
        assert [ask(port, "POST", PATIENT_VIEW, BODY)[0] for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 5
