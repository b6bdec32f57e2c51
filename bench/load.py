"""Fire requests at a server on this machine and time the answers. Loopback only; bounded in time.

Raw sockets with keep-alive, so that the client's own share stays small. Latency runs from before the first byte is sent
to after the last byte is read. Every request carries a fresh hookInstance; replies are checked after the batch.
"""

import json
import socket
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.payloads import Payload

Check = Callable[[int, bytes, Payload], str | None]  # what is wrong with a reply, None when it is right


@dataclass
class Batch:
    """What one batch brought; seconds throughout."""

    took: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    per_connection: list[int] = field(default_factory=list)
    wall: float = 0.0

    @property
    def right(self) -> int:
        return len(self.took) - self.errors.total()

    @property
    def per_second(self) -> float:
        return self.right / self.wall

    @property
    def least_served(self) -> float:
        """Requests of the connection that got the fewest, over the mean: 1 is fair, 0 starved."""
        return min(self.per_connection) * len(self.per_connection) / max(1, sum(self.per_connection))


class Connection:
    """One keep-alive connection that posts requests."""

    def __init__(self, port: int, path: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.path = path
        self.lines = f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"

    def post(self, payload: Payload, path: str = "", header: str = "") -> tuple[float, int, bytes]:
        """Seconds, status and body of the answer. path: another than the usual one; header: a line, end included."""
        instance = str(uuid.uuid4()).encode()
        length = len(payload.head) + len(instance) + len(payload.tail)
        first = f"POST {path or self.path} HTTP/1.1\r\n{self.lines}{header}Content-Length: {length}\r\n\r\n"
        head = first.encode() + payload.head + instance
        began = time.perf_counter()
        if length < 65_536:
            self.socket.sendall(head + payload.tail)
        else:
            self.socket.sendall(head)
            self.socket.sendall(payload.tail)
        status, body = self._read()
        return time.perf_counter() - began, status, body

    def _read(self) -> tuple[int, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        length = int(fields["content-length"])
        while len(body) < length:
            body += self._more()
        return int(first.split()[1]), body

    def _more(self) -> bytes:
        part = self.socket.recv(262_144)
        if not part:
            raise ConnectionError("closed before the answer was complete")
        return part

    def close(self) -> None:
        self.socket.close()


def fire(
    port: int,
    path: str,
    payloads: Sequence[Payload],
    check: Check,
    *,
    connections: int,
    seconds: float,
    most: int = 10**6,
) -> Batch:
    """Let so many connections post in turn for so long; each posts at least once."""
    batch, lock = Batch(), threading.Lock()
    began = time.perf_counter()

    def one(offset: int) -> None:
        took, errors, count = [], Counter[str](), 0
        connection = Connection(port, path)
        replies = []
        while count < most and (time.perf_counter() - began < seconds or count == 0):
            payload = payloads[(offset + count) % len(payloads)]
            count += 1
            try:
                needed, status, body = connection.post(payload)
            except (OSError, ValueError, KeyError) as error:
                errors[type(error).__name__] += 1
                took.append(time.perf_counter() - began)
                connection.close()
                connection = Connection(port, path)
                continue
            took.append(needed)
            replies.append((status, body, payload))
        connection.close()
        wrong = (check(*each) for each in replies)
        errors.update(each for each in wrong if each)
        with lock:
            batch.took += took
            batch.errors += errors
            batch.per_connection.append(count)
            batch.wall = max(batch.wall, time.perf_counter() - began)

    threads = [threading.Thread(target=one, args=(each,)) for each in range(connections)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return batch


def right_answer(status: int, body: bytes, payload: Payload) -> str | None:
    """Check an answer of the service: the card with the right product, or no card at all."""
    if status != 200:
        return f"status {status}"
    cards = json.loads(body)["cards"]
    if payload.product is None:
        return None if cards == [] else "a card for a patient without a finding"
    if len(cards) != 1 or cards[0]["indicator"] != "critical":
        return "not the one critical card"
    said = cards[0]["extension"]["org.calcinosis-cds.assessment"]["product"]["value"]
    return None if abs(said - payload.product) < 0.001 else f"product {said}, not {payload.product}"


def any_card(status: int, body: bytes, payload: Payload) -> str | None:
    """Check an answer of a stand-in: a card came back."""
    return None if status == 200 and json.loads(body)["cards"] else f"status {status}, or no card"


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
