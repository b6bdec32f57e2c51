"""Reads from the EHR's FHIR server over HTTP: GET only, with the token of one call, within one deadline.

Knows: paging on the same origin, limits of pages, bytes and time, failures in a few words without addresses or ids.
Must not know: what the resources mean; which server may be asked: the caller compares it with its list (is_allowed).

The time-outs of requests count for each read of the socket: a server that drips a byte now and then would hold a call
for ever. So each read of an answer waits no longer than what is left of the call (outgoing/deadline.py). Only the
look-up of a host name can outlast the call; the call does not wait for it.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
import urllib3

from cds_service.fhir import parts, releases
from cds_service.fhir.gather import Fetched, Query
from cds_service.fhir.shapes import RawBundle
from cds_service.outgoing.body import TooLate, TooMuch, read_body
from cds_service.outgoing.deadline import ends_at

_TOO_LATE: Final = "no answer in time"
# reads end by themselves at the deadline; a little later the call goes on without those that did not
_GRACE_S: Final = 0.1
# what a server or a proxy answers when the next try may do
_PASSING: Final = frozenset({502, 503, 504})
# what a server answers that does not know the type of resource
_UNKNOWN: Final = frozenset({400, 404, 405, 501})
_ROOM_FOR_METADATA: Final = 8 * 1024 * 1024
_FRAME: Final = parts.Part(RawBundle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much may be read. total_s counts for all queries of a call together; bytes for each query."""

    total_s: float = 8.0
    connect_s: float = 2.0
    read_s: float = 5.0
    pages: int = 20
    bytes: int = 32 * 1024 * 1024
    side_by_side: int = 6

    @classmethod
    def within(cls, total_s: float) -> "Limits":
        """The usual limits for a call that may take so long: who waits longer also waits longer for a first byte."""
        return cls(total_s=total_s, read_s=max(5.0, total_s - 3.0))


class FhirServer:
    """A Fetch over HTTP for one call.

    session: shared by calls (outgoing/session.py); it holds connections and nothing else.
    token: the bearer token of this call, None for an open server; it goes into the header of each read, nowhere else.
    """

    def __init__(
        self,
        base_url: str,
        token: str | None,
        session: requests.Session,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = base_url.rstrip("/") + "/"
        self._headers = {"Accept": "application/fhir+json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._session = session
        self._limits = limits or Limits()
        self._clock = clock
        self._deadline: float | None = None

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        """Answer all queries side by side; what is not there at the deadline is a failure.

        The deadline is that of the first read: it counts for all reads of a call together.
        """
        if self._deadline is None:
            self._deadline = self._clock() + self._limits.total_s
        deadline = self._deadline
        pool = ThreadPoolExecutor(max(1, min(self._limits.side_by_side, len(queries))), "fhir-read")
        try:
            running = {pool.submit(self._answer, query, deadline): query for query in queries}
            done, late = wait(running, timeout=max(0.0, deadline - self._clock()) + _GRACE_S)
            return [*(each.result() for each in done), *(Fetched(running[each], (), _TOO_LATE) for each in late)]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, query: Query, deadline: float) -> Fetched:
        """All pages of one query."""
        pages: list[bytes] = []
        room = self._limits.bytes
        address: str | None = query.text if query.follow else self._address(query)
        try:
            while address is not None:
                if len(pages) == self._limits.pages:
                    return Fetched(query, pages, f"more than {self._limits.pages} pages")
                if not _same_origin(address, self._base):
                    return Fetched(query, pages, "the next page lies on another server")
                page = self._get_twice(address, deadline, room)
                pages.append(page)
                room -= len(page)
                address = _next_page(page, address)
        except _Failed as problem:
            unknown = isinstance(problem, _Unknown) and not pages
            other = self._other_spelling(query, problem, deadline) if unknown else None
            return Fetched(query, pages, str(problem)) if other is None else self._answer(other, deadline)
        return Fetched(query, pages)

    def _address(self, query: Query) -> str:
        wishes = f"{'&' if '?' in query.text else '?'}{query.wishes}" if query.wishes else ""
        return urljoin(self._base, query.text.lstrip("/")) + wishes

    def _other_spelling(self, query: Query, problem: "_Failed", deadline: float) -> Query | None:
        """The query without wishes where they were refused, else in the words of the server's release.

        The release stands in its CapabilityStatement.
        """
        if query.wishes and problem.status == requests.codes.bad_request:
            return replace(query, wishes="")
        if query.follow or not releases.has_other_spelling(query.text):
            return None
        try:
            capability = self._get(urljoin(self._base, "metadata"), deadline, _ROOM_FOR_METADATA)
        except _Failed:
            return None
        text = releases.spelt_for(query.text, capability)
        return None if text is None else replace(query, text=text, wishes="")

    def _get_twice(self, address: str, deadline: float, room: int) -> bytes:
        """What a GET brings; it changes nothing over there, so a passing failure may be tried once more."""
        try:
            return self._get(address, deadline, room)
        except _Passing:
            return self._get(address, deadline, room)

    def _get(self, address: str, deadline: float, room: int) -> bytes:
        left = deadline - self._clock()
        if left <= 0:
            raise _Failed(_TOO_LATE)
        timeouts = (min(self._limits.connect_s, left), min(self._limits.read_s, left))
        try:
            with (
                ends_at(deadline, self._clock),
                self._session.get(
                    address, headers=self._headers, timeout=timeouts, allow_redirects=False, stream=True
                ) as response,
            ):
                status = response.status_code
                if status != requests.codes.ok:
                    told = f"the FHIR server answered with status {status}"
                    raise (_Passing if status in _PASSING else _Unknown if status in _UNKNOWN else _Failed)(
                        told, status
                    )
                return read_body(response, deadline=deadline, room=room, clock=self._clock)
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError, TooLate) as problem:
            raise _Failed(_TOO_LATE) from problem
        except TooMuch as problem:
            raise _Failed("more data than this service reads") from problem
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as problem:
            raise _Passing("no connection, or it broke off") from problem


class _Failed(Exception):
    """Why a read came to nothing, in words without addresses or ids. status: the answer's, when there was one."""

    def __init__(self, told: str, status: int | None = None) -> None:
        super().__init__(told)
        self.status = status


class _Unknown(_Failed):
    """The same, when the server may not know what was asked for."""


class _Passing(_Failed):
    """The same, when the next try may do."""


def is_allowed(base_url: str, allowed: Iterable[str]) -> bool:
    """Whether a server named by a request is, or lies under, one of the allowed base URLs."""
    try:
        asked = urlsplit(base_url)
        if asked.username or asked.password or asked.query or asked.fragment or ".." in asked.path:
            return False
        return any(_same_origin(base_url, each) and _under(asked.path, urlsplit(each).path) for each in allowed)
    except ValueError:
        return False


def _under(path: str, root: str) -> bool:
    return (path.rstrip("/") + "/").startswith(root.rstrip("/") + "/")


def _same_origin(address: str, base: str) -> bool:
    """Same scheme, host and port."""
    try:
        one, other = urlsplit(address), urlsplit(base)
        ports = {"https": 443, "http": 80}
        return (one.scheme, one.hostname, one.port or ports.get(one.scheme)) == (
            other.scheme,
            other.hostname,
            other.port or ports.get(other.scheme),
        ) and one.hostname is not None
    except ValueError:
        return False


def _next_page(page: bytes, address: str) -> str | None:
    """The address of the next page, taken as it is; None on the last page and on what is no Bundle."""
    frame = _FRAME(page)
    links = (parts.links(frame.link) or []) if frame is not None else []
    return next((urljoin(address, link.url) for link in links if link.relation == "next" and link.url), None)
