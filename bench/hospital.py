"""What a made-up hospital brings along for bench/hospital_hour.py: its charts, its key, its FHIR server, the store.

Knows: how each of them is made to fail.
Must not know: how often, and what the service answers meanwhile.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa

from bench.payloads import Payload, of_size
from cds_service.storage.engine import engine_of
from cds_service.storage.schema import feedback
from cds_service.storage.upgrade import upgrade
from tests.storage.databases import Server, binaries
from tests.trust.certificates import certificate
from tests.trust.keys import BASE, ISSUER, bearer, ec_key, key_set, public

USER = "Practitioner/dr-1"
# seconds that the FHIR server takes for each query, by the first part of the address
PACE = {"quick": 0.0, "slow": 0.3, "late": 5.0}


# ---- charts


@dataclass(frozen=True, slots=True)
class Chart:
    """A patient of the hospital: the call in full, and what a right answer says."""

    payload: Payload
    request: dict[str, Any]

    @property
    def patient(self) -> str:
        return str(self.request["context"]["patientId"])


def charts() -> list[Chart]:
    """Patients with 200 Observations each, by turns with and without a finding."""
    now = datetime.now(UTC)
    pairs = zip(*(of_size("medium", card=card, now=now) for card in (True, False)), strict=True)
    return [Chart(each, json.loads(each.body("-"))) for pair in pairs for each in pair]


def token(path: str) -> str:
    """A header line with a token for one call of the path."""
    return f"Authorization: {bearer(path, now=datetime.now(UTC))['Authorization']}\r\n"


def clients_file(folder: Path, fhir: str) -> Path:
    """The file of clients that names the hospital."""
    (folder / "keys.json").write_text(key_set(public(ec_key())))
    file = folder / "clients.toml"
    file.write_text(f'[clients.hospital]\nissuers = ["{ISSUER}"]\njwks_file = "keys.json"\nfhir_servers = ["{fhir}"]\n')
    return file


# ---- the FHIR server


@contextmanager
def fhir_server(folder: Path, patients: list[Chart]) -> Iterator[tuple[str, Path]]:
    """Serves the charts over TLS as fast as the address says; gives base address and authority."""
    by_id = {each.patient: each.request["prefetch"] for each in patients}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            _, pace, kind = address.path.split("/")
            time.sleep(PACE[pace])
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            body = json.dumps(_found(by_id[asked["patient"]], kind, asked.get("code", ""))).encode()
            with suppress(OSError):  # the service has given up
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    tls, authority = certificate(folder, "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        http.handle_error = lambda *_: None  # type: ignore[method-assign]  a worker that was killed hangs up
        http.socket = tls.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield f"https://127.0.0.1:{http.server_port}", authority
        finally:
            http.shutdown()


def _found(prefetch: dict[str, Any], kind: str, codes: str) -> dict[str, Any]:
    wanted = {each.rpartition("|")[2] for each in codes.split(",")}
    entries = {
        "Condition": prefetch["conditions"]["entry"],
        "Observation": [
            each
            for each in prefetch["observations"]["entry"]
            if wanted & {coding["code"] for coding in each["resource"]["code"]["coding"]}
        ],
    }.get(kind, [])
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


# ---- the store


class Store(Protocol):
    """The database of the service, and two ways to fail."""

    url: str
    name: str

    def faults(self) -> list[tuple[str, Any]]:
        """What can befall it: a word, and what does it for a while."""


def cards_with_feedback(url: str) -> list[str]:
    """The card of each row of feedback."""
    with engine_of(url, reads=True, pooled=False, wait=60).connect() as connection:
        return list(connection.scalars(sa.select(feedback.c.card)))


def count_of(url: str, question: str) -> int:
    """The number that the question asks for."""
    with engine_of(url, reads=True, pooled=False, wait=60).connect() as connection:
        return int(connection.exec_driver_sql(question).scalar_one())


class Postgresql:
    """A PostgreSQL server of its own: crashes and comes back, or stands still."""

    name = "PostgreSQL"

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = server.new_database()
        upgrade(self.url)

    def faults(self) -> list[tuple[str, Any]]:
        return [("PostgreSQL crashed and restarted", self._crash), ("PostgreSQL stood still", self._stand_still)]

    def _crash(self, seconds: float) -> None:
        self._server.stop()
        time.sleep(seconds)
        self._server.start()

    def _stand_still(self, seconds: float) -> None:
        with self._server.standing_still():
            time.sleep(seconds)


class Sqlite:
    """An SQLite file that somebody else has locked."""

    name = "SQLite"

    def __init__(self, folder: Path) -> None:
        self._file = folder / "hour.sqlite3"
        self.url = f"sqlite:///{self._file}"
        upgrade(self.url)

    def faults(self) -> list[tuple[str, Any]]:
        return [("SQLite locked", self._lock)]

    def _lock(self, seconds: float) -> None:
        other = sqlite3.connect(self._file, isolation_level=None, timeout=30)
        other.execute("begin exclusive")
        time.sleep(seconds)
        other.execute("rollback")
        other.close()


@contextmanager
def store(folder: Path) -> Iterator[Store]:
    """PostgreSQL where it is installed, else SQLite."""
    place = binaries()
    if place is None:
        yield Sqlite(folder)
        return
    with TemporaryDirectory(prefix="cds-pg-") as name:
        server = Server(place, Path(name))
        server.make()
        server.start()
        try:
            yield Postgresql(server)
        finally:
            server.stop()


SETTINGS = {
    "CDS_PUBLIC_URL": BASE,
    "CDS_PAGES": "false",
    "CDS_HASH_KEY": "0123456789abcdef" * 2,
    "CDS_METRICS_TOKEN": "hour",
    "CDS_FHIR_TIMEOUT_S": "1.5",
}
