"""FHIR servers that fail in every way that a network allows: calls are answered in time, honestly, and leave nothing.

The servers are real sockets in a thread of this test; what each does is one function below.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, PATIENT_VIEW, bundle, calcium, call, critical_call, patient, phosphate, prefetch
from tests.conftest import NOW

DEADLINE_S = 0.4
# what a call may take beyond the deadline: deciding, and a busy machine
MORE_S = 2.0

Serve = Callable[[socket.socket, str, threading.Event], None]


def whole(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def found(path: str) -> bytes:
    """What a sound server answers."""
    what: object = bundle()
    if path.startswith("/fhir/Patient/"):
        what = patient()
    elif path.startswith("/fhir/Observation"):
        what = bundle(calcium(10.5), phosphate(7.5))
    return json.dumps(what).encode()


def drip(connection: socket.socket, data: bytes, stopped: threading.Event) -> None:
    for each in data:
        if stopped.wait(0.3):
            return
        connection.sendall(bytes([each]))


def sound(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(found(path)))


def silent(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    stopped.wait(30)


def slow(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    if not stopped.wait(5):
        sound(connection, path, stopped)


def drips_the_body(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    drip(connection, b" " * 200, stopped)


def drips_the_status_line(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    drip(connection, b"HTTP/1.1 200 " + b"O" * 200, stopped)


def drips_the_headers(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(connection, b"x" * 200, stopped)


def drips_a_chunk_size(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    drip(connection, b"0" * 200, stopped)


def headers_without_end(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not stopped.is_set():
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def cuts_before_the_answer(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    return


def cuts_the_body(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(found(path))[:-7])


def garbage(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"\x00\x01 no HTTP \xff\r\n\r\n" * 20)


def html(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(b"<html><title>Log in</title></html>", headers="Content-Type: text/html\r\n"))


def redirects(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(b"", "302 Found", "Location: https://evil.example.org/fhir\r\n"))


def refuses(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(b"{}", "401 Unauthorized"))


def is_down(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(whole(b"", "503 Service Unavailable", "Retry-After: 120\r\n"))


def pages_without_end(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    page = bundle(link=[{"relation": "next", "url": path + "&p"}])
    connection.sendall(whole(found(path) if "Patient" in path else json.dumps(page).encode()))


def pages_elsewhere(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    page = bundle(link=[{"relation": "next", "url": "https://evil.example.org/fhir?p=2"}])
    connection.sendall(whole(found(path) if "Patient" in path else json.dumps(page).encode()))


def too_much(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not stopped.is_set():
        connection.sendall(b" " * 65536)


def refuses_halfway(connection: socket.socket, path: str, stopped: threading.Event) -> None:
    """Observations have a second page, for which the token no longer does."""
    if "Observation" in path:
        if "second" in path:
            refuses(connection, path, stopped)
            return
        page = bundle(calcium(10.5), phosphate(7.5), link=[{"relation": "next", "url": "/fhir/Observation?second"}])
        connection.sendall(whole(json.dumps(page).encode()))
    else:
        sound(connection, path, stopped)


NOTHING_TO_BE_HAD = (
    *(silent, slow, drips_the_body, drips_the_status_line, drips_the_headers, drips_a_chunk_size, headers_without_end),
    *(cuts_before_the_answer, cuts_the_body, garbage, html, redirects, refuses, is_down, too_much),
)


class Faulty:
    """A server on this machine that serves each connection once by `serve`."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/fhir"
        self.asked: list[str] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            if self._stopped.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._one, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            try:
                path = connection.makefile("rb").readline().split()[1].decode()
                self.asked.append(path)
                self._serve(connection, path, self._stopped)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                while connection.recv(4096):  # until the client lets go
                    pass
            except (OSError, IndexError):
                return

    def stop(self) -> None:
        self._stopped.set()
        socket.create_connection(self._listening.getsockname()).close()
        self._accepting.join()
        self._listening.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def server() -> Iterator[Callable[[Serve], Faulty]]:
    started: list[Faulty] = []

    def start(serve: Serve) -> Faulty:
        started.append(Faulty(serve))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def client_within(seconds: float, catalog: Catalog) -> FlaskClient:
    settings = read_settings({}, sandbox=True, database_url="", fhir_timeout_s=seconds)
    return create_app(settings, clock=lambda: NOW, catalog=catalog).test_client()


@pytest.fixture
def client(catalog: Catalog) -> FlaskClient:
    return client_within(DEADLINE_S, catalog)


@pytest.mark.parametrize("serve", NOTHING_TO_BE_HAD, ids=lambda each: each.__name__)
def test_a_server_that_gives_nothing_leads_to_412_in_time(
    client: FlaskClient, server: Callable[[Serve], Faulty], serve: Serve
) -> None:
    ehr = server(serve)
    started = time.monotonic()
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url))
    assert time.monotonic() - started < DEADLINE_S + MORE_S
    assert answer.status_code == 412
    told = answer.get_json()
    assert told["resourceType"] == "OperationOutcome"
    assert all(key in answer.text for key in ("patient", "observations-calcium", "observations-phosphate"))
    assert "127.0.0.1" not in answer.text


@pytest.mark.parametrize("serve", NOTHING_TO_BE_HAD, ids=lambda each: each.__name__)
def test_what_came_with_the_call_is_judged_and_the_lost_rest_named(
    client: FlaskClient, server: Callable[[Serve], Faulty], serve: Serve
) -> None:
    ehr = server(serve)
    sent = prefetch(calcium(10.5), phosphate(7.5))
    for key in ("conditions", "medications", "statements"):
        del sent[key]
    started = time.monotonic()
    answer = client.post(PATIENT_VIEW, json=call(prefetch=sent, fhirServer=ehr.url))
    assert time.monotonic() - started < DEADLINE_S + MORE_S
    assert answer.status_code == 200
    told = answer.get_json()["extension"][ASSESSMENT]
    assert told["tier"] == "critical"
    assert "incomplete_data" in told["flags"]
    assert {each.split(":")[0] for each in told["dataSources"]["failed"]} == {"conditions", "medications", "statements"}


@pytest.mark.parametrize("serve", [pages_without_end, pages_elsewhere], ids=lambda each: each.__name__)
def test_pages_that_cannot_be_read_to_the_end_are_left_and_named(
    client: FlaskClient, server: Callable[[Serve], Faulty], serve: Serve
) -> None:
    ehr = server(serve)
    started = time.monotonic()
    answer = client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url))
    assert time.monotonic() - started < DEADLINE_S + MORE_S
    # not a single result could be read, and nobody knows whether there is one
    assert answer.status_code == 412


def test_a_token_that_ends_halfway_is_named_on_what_could_be_judged(
    catalog: Catalog, server: Callable[[Serve], Faulty]
) -> None:
    answer = client_within(8, catalog).post(
        PATIENT_VIEW, json=call(prefetch=..., fhirServer=server(refuses_halfway).url)
    )
    told = answer.get_json()["extension"][ASSESSMENT]
    assert told["tier"] == "critical"
    assert "incomplete_data" in told["flags"]
    assert all("status 401" in each for each in told["dataSources"]["failed"])


def test_a_passing_failure_is_tried_once_more(catalog: Catalog, server: Callable[[Serve], Faulty]) -> None:
    failed: set[str] = set()

    def serve(connection: socket.socket, path: str, stopped: threading.Event) -> None:
        if path in failed:
            sound(connection, path, stopped)
        else:
            failed.add(path)
            (is_down if len(failed) % 2 else cuts_before_the_answer)(connection, path, stopped)

    ehr = server(serve)
    answer = client_within(8, catalog).post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url))
    assert answer.get_json()["extension"][ASSESSMENT]["dataSources"]["failed"] == []
    assert sorted(ehr.asked) == sorted(2 * list(failed))


def test_nobody_listening_leads_to_412(client: FlaskClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=f"http://127.0.0.1:{port}")).status_code == 412


def open_sockets() -> int:
    held = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            held += os.readlink(each).startswith("socket:")
        except OSError:
            continue
    return held


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open sockets are counted in /proc")
def test_no_thread_and_no_socket_is_left_by_servers_that_fail(
    client: FlaskClient, server: Callable[[Serve], Faulty]
) -> None:
    client.post(PATIENT_VIEW, json=critical_call())
    threads, sockets = threading.active_count(), open_sockets()
    for serve in (drips_the_headers, drips_the_body, silent, cuts_the_body, html, pages_without_end, too_much):
        ehr = Faulty(serve)
        for _ in range(2):
            client.post(PATIENT_VIEW, json=call(prefetch=..., fhirServer=ehr.url))
        # the server is still there and would go on: whatever is left now is our side's, and the server's half of it
        ended = time.monotonic() + MORE_S
        while readers() and time.monotonic() < ended:
            time.sleep(0.02)
        assert readers() == []
        ehr.stop()
    assert (threading.active_count(), open_sockets()) == (threads, sockets)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fhir-read")]
