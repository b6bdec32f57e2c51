"""A FHIR server of one patient on this machine, for tests of what is read from it; it remembers what was asked."""

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.calls import bundle, calcium, patient, phosphate

TOKEN = "made-up-token"  # noqa: S105
AUTHORIZATION = {
    "access_token": TOKEN,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs",
    "subject": "calcinosis",
}


@dataclass(frozen=True)
class Asked:
    """One request that the server saw. path: with its query."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def token(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass
class Ehr:
    """What the server holds and how it behaves. page_size: resources on a page; raw: sent instead of any answer.

    includes: whether it does what _include asks.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    held: dict[str, list[Any]] = field(default_factory=dict)
    status: int = 200
    page_size: int | None = None
    endless: bool = False
    raw: bytes | None = None
    location: str | None = None
    next_page: str | None = None
    wait_s: float = 0
    includes: bool = True

    def answer(self, target: str) -> bytes:
        """The body of the answer to a GET."""
        if self.raw is not None:
            return self.raw
        parts = urlsplit(target)
        kind, _, name = parts.path.rpartition("/fhir/")[2].partition("/")
        if name:
            found = next((each for each in self.held.get(kind, ()) if each.get("id") == name), None)
            return json.dumps(found or {"resourceType": "OperationOutcome"}).encode()
        query = parse_qs(parts.query)
        codes = {token.rpartition("|")[2] for token in query.get("code", [""])[0].split(",")} - {""}
        ids = {each for each in query.get("_id", [""])[0].split(",")} - {""}
        matched = [
            each
            for each in self.held.get(kind, ())
            if (not codes or codes_of(each) & codes) and (not ids or each.get("id") in ids)
        ]
        if matched and "_include" in query and self.includes:
            matched += self.held.get(query["_include"][0].partition(":")[2].capitalize(), [])
        start = int(query.get("page", ["0"])[0])
        size = self.page_size or max(1, len(matched))
        page: dict[str, Any] = bundle(*matched[start : start + size])
        page["total"] = len(matched)
        following = self.next_page
        if self.endless or start + size < len(matched):
            following = f"{self.url}/{kind}?{parts.query.partition('&page=')[0]}&page={start + size}"
        if following:
            page["link"] = [{"relation": "next", "url": following}]
        return json.dumps(page).encode()


def codes_of(resource: Mapping[str, Any]) -> set[str]:
    """The codes of a resource, whatever their system."""
    return {str(coding.get("code")) for coding in resource.get("code", {}).get("coding", ())}


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # many calls side by side are no reason to turn one away

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has hung up is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def running(**how: Any) -> Iterator[Ehr]:
    """The server of patient x1 with calcium 10.5 and phosphate 7.5 mg/dL, for the time of a test."""
    seen = Ehr(**how)
    if "held" not in how:
        seen.held = {"Patient": [patient()], "Observation": [calcium(10.5), phosphate(7.5)]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.asked.append(Asked("GET", self.path, dict(self.headers)))
            time.sleep(seen.wait_s)
            body = seen.answer(self.path)
            self.send_response(seen.status)
            if seen.location:
                self.send_header("Location", seen.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            seen.asked.append(Asked("POST", self.path, dict(self.headers)))
            self.send_response(405)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        seen.url = f"http://127.0.0.1:{server.server_port}/fhir"
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()
