"""One wall-clock deadline for an HTTP answer, status line and headers included.

Knows: that the time-outs of sockets count for each read, so that a server which drips a byte now and then could hold a
read of the headers for hours. So every read of a response made by TimedResponse waits no longer than what is left.
Must not know: what is asked, and of whom.
"""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any


class _Left(threading.local):
    """The seconds left to this thread; None without a deadline."""

    seconds: Callable[[], float] | None = None


_left = _Left()


@contextmanager
def ends_at(deadline: float, clock: Callable[[], float]) -> Iterator[None]:
    """Responses that begin in this thread inside the block end at the deadline, with a TimeoutError if need be."""
    _left.seconds = lambda: deadline - clock()
    try:
        yield
    finally:
        _left.seconds = None


class TimedResponse(HTTPResponse):
    """For HTTPConnection.response_class. Reads status, headers and body within the deadline of its thread."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if _left.seconds is not None:
            self.fp = io.BufferedReader(_Timed(sock, self.fp.detach(), _left.seconds))


class _Timed(io.RawIOBase):
    """Reads from a socket with ever less patience."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, left: Callable[[], float]) -> None:
        self._socket = sock
        self._raw = raw
        self._left = left
        self._longest = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._left()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        self._socket.settimeout(left if self._longest is None else min(left, self._longest))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
