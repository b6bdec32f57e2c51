"""An hour of hook calls of a large hospital in one run, while things fail: `make hospital-hour`.

20,000 calls with 200 Observations each (SCALE=0.1 for a tenth), each with a token of its own, two processes, one store.
Meanwhile processes are killed, the store crashes, restarts and stands still, and one call in twenty leaves data to be
read from a FHIR server that is slow, and now and then too slow. A call that got no answer, or was told to come back, is
sent again as EHRs do. Every answer is compared with the right one. One card in four is overridden by its user; in the
end each piece of feedback that was acknowledged must be in the store once, and those users are asked again.
"""

import argparse
import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.hospital import (
    SETTINGS,
    USER,
    Chart,
    Store,
    cards_with_feedback,
    charts,
    clients_file,
    count_of,
    fhir_server,
    store,
    token,
)
from bench.load import Connection, quantile, right_answer
from bench.payloads import MARKER, Payload
from bench.servers import SERVICE, Target, started
from cds_service.storage.acknowledgements import PAUSE_SECONDS

CALLS, CONNECTIONS, WORKERS = 20_000, 8, 2
FEEDBACK_ONE_IN, FAULTS, FAULT_S = 4, 24, 3.0
GIVES_UP_S = 60.0
# granian gives up on a worker that dies twice within 5.5 s
KILLS_APART_S = 7.0
PATH = f"/cds-services/{SERVICE}"
QUANTILES = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99), ("longest", 1.0))
# of a hundred calls: which part of prefetch is left to the FHIR server at which pace; the others bring everything
READS = {
    7: ("conditions", "slow"),
    27: ("observations", "slow"),
    47: ("conditions", "quick"),
    67: ("conditions", "late"),
    87: ("observations", "late"),
}


class Call:
    """One call of one user about one patient, and what a right answer to it is."""

    def __init__(self, number: int, patients: list[Chart], fhir: str) -> None:
        chart = patients[number % len(patients)]
        self.left_out, self.pace = READS.get(number % 100, ("", ""))
        body = chart.payload.body(MARKER) if not self.left_out else self._shortened(chart.request, fhir)
        head, tail = body.replace(USER.encode(), f"Practitioner/{uuid.uuid4()}".encode()).split(MARKER.encode())
        self.payload = Payload(head, tail, chart.payload.product)

    def _shortened(self, request: dict[str, Any], fhir: str) -> bytes:
        prefetch = {key: value for key, value in request["prefetch"].items() if key != self.left_out}
        short = request | {"hookInstance": MARKER, "prefetch": prefetch, "fhirServer": f"{fhir}/{self.pace}"}
        return json.dumps(short).encode()

    def problem(self, status: int, body: bytes) -> str | None:
        """What is wrong with an answer, None when it is right: the card, no card, or that the values are missing."""
        if self.left_out == "observations" and self.pace == "late":
            right = status == 412 and json.loads(body)["issue"][0]["code"] == "incomplete"
            return None if right else f"status {status} although no value could be had"
        return right_answer(status, body, self.payload)


class Hour:
    """What was sent and what came back."""

    def __init__(self, target: Target, patients: list[Chart], fhir: str, count: int) -> None:
        self.target, self.patients, self.fhir, self.count = target, patients, fhir, count
        self.sent, self.lock, self.ended = 0, threading.Lock(), threading.Event()
        self.took: dict[str, list[float]] = {"whole": [], "read": [], "until answered": []}
        self.wrong, self.again, self.faults = Counter[str](), Counter[str](), Counter[str]()
        self.acknowledged: dict[str, Call] = {}

    def send(self) -> None:
        """Post calls, and feedback on some of their cards, until all are sent."""
        line = _Line(self)
        while (number := self._next()) < self.count:
            call = Call(number, self.patients, self.fhir)
            began = time.perf_counter()
            answer = line.post(PATH, call.payload)
            if answer is None:
                continue
            seconds, status, body = answer
            if problem := call.problem(status, body):
                self.note(self.wrong, problem)
            with self.lock:
                self.took["read" if call.left_out else "whole"].append(seconds)
                self.took["until answered"].append(time.perf_counter() - began)
            cards = json.loads(body).get("cards")
            if cards and number // len(self.patients) % FEEDBACK_ONE_IN == 0:
                self._override(line, cards[0]["uuid"], call)
        line.close()

    def _override(self, line: "_Line", card: str, call: Call) -> None:
        item = {"card": card, "outcome": "overridden", "outcomeTimestamp": _now()}
        head, tail = json.dumps({"feedback": [item], "sent": MARKER}).encode().split(MARKER.encode())
        answer = line.post(f"{PATH}/feedback", Payload(head, tail, None))
        if answer is not None and answer[1] != 200:
            self.note(self.wrong, f"feedback: status {answer[1]}")
        elif answer is not None:
            self.acknowledged[card] = call

    def ask_again(self, most: int = 200) -> tuple[int, int]:
        """Open the charts of users who have overridden their card once more: how many, and how many see it again."""
        asked = random.sample(sorted(self.acknowledged), min(most, len(self.acknowledged)))
        line, shown = _Line(self), 0
        for card in asked:
            answer = line.post(PATH, self.acknowledged[card].payload)
            shown += answer is None or json.loads(answer[2]).get("cards") != []
        line.close()
        return len(asked), shown

    def _next(self) -> int:
        with self.lock:
            self.sent += 1
            return self.sent - 1

    def note(self, counter: Counter[str], what: str) -> None:
        with self.lock:
            counter[what] += 1

    def disturb(self, befalls: list[tuple[str, Callable[[float], None]]]) -> None:
        """Spread the faults over the calls: by turns a worker is killed, and something befalls the store."""
        faults = max(4, round(FAULTS * self.count / CALLS))
        last_kill = -KILLS_APART_S
        for step in range(faults):
            while self.sent < (step + 0.5) * self.count / faults:
                if self.ended.wait(0.02):
                    return
            if step % 2 == 0:
                self.ended.wait(max(0.0, last_kill + KILLS_APART_S - time.monotonic()))
                last_kill = time.monotonic()
                os.kill(min(self.target.family()[1:]), signal.SIGKILL)
                self.faults["worker killed"] += 1
            else:
                what, befall = befalls[step // 2 % len(befalls)]
                befall(FAULT_S)
                self.faults[what] += 1


class _Line:
    """One connection of the EHR; posts again what broke or was told to come back, with a new token."""

    def __init__(self, hour: Hour) -> None:
        self._hour, self._connection = hour, None

    def post(self, path: str, payload: Payload) -> tuple[float, int, bytes] | None:
        """Seconds of the last try, status and body; None when it was given up."""
        until = time.monotonic() + GIVES_UP_S
        while time.monotonic() < until:
            try:
                self._connection = self._connection or Connection(self._hour.target.port, path)
                answer = self._connection.post(payload, path, token(path))
            except (OSError, ValueError, KeyError):
                self._hour.note(self._hour.again, "no answer")
                self.close()
            else:
                if answer[1] != 503:
                    return answer
                self._hour.note(self._hour.again, "503")
            time.sleep(0.25)
        self._hour.note(self._hour.wrong, f"no answer in {GIVES_UP_S:.0f} s")
        return None

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def run(count: int, folder: Path) -> bool:
    """Send the calls and print what came of them; whether all is well."""
    patients = charts()
    with store(folder) as kept, fhir_server(folder, patients) as (fhir, authority):
        told = SETTINGS | {
            "CDS_DATABASE_URL": kept.url,
            "CDS_TENANTS_FILE": str(clients_file(folder, fhir)),
            "CDS_CA_BUNDLE": str(authority),
            "CDS_WORKERS": str(WORKERS),
        }
        command = [sys.executable, "-m", "cds_service", "serve", "--port", "{port}"]
        with started("hour", command, PATH, right_answer, ready="/readyz", log=folder / "log", **told) as target:
            hour = Hour(target, patients, fhir, count)
            seconds = _whole(hour, kept)
            time.sleep(PAUSE_SECONDS)  # so long the service leaves alone a store that has failed it
            asked, shown = hour.ask_again()
        return _report(hour, kept, seconds, (asked, shown))


def _whole(hour: Hour, kept: Store) -> float:
    """Send everything; the seconds it took."""
    disturbing = threading.Thread(target=hour.disturb, args=(kept.faults(),))
    senders = [threading.Thread(target=hour.send) for _ in range(CONNECTIONS)]
    began = time.monotonic()
    for each in (disturbing, *senders):
        each.start()
    for each in senders:
        each.join()
    seconds = time.monotonic() - began
    hour.ended.set()
    disturbing.join()
    return seconds


def _report(hour: Hour, kept: Store, seconds: float, again: tuple[int, int]) -> bool:
    found = Counter(cards_with_feedback(kept.url))
    lost = hour.acknowledged.keys() - found.keys()
    twice = [card for card, times in found.items() if times != 1]
    rows = count_of(kept.url, "select count(*) from decision where outcome in ('decided', '412')")
    print(f"{hour.count} calls in {seconds:.0f} s, {hour.count / seconds:.0f}/s; {WORKERS} workers, {kept.name}")
    for what, took in hour.took.items():
        print(f"  {what}: {', '.join(f'{name} {1000 * quantile(took, share):.0f} ms' for name, share in QUANTILES)}")
    print(f"faults: {dict(hour.faults)}; sent again: {dict(hour.again)}")
    print(f"wrong or missing answers: {dict(hour.wrong) or 0}")
    print(f"feedback: {len(hour.acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} twice")
    print(f"asked again after it: {again[0]}, shown again: {again[1]}")
    print(f"in the journal: {rows} of {hour.count + again[0]} answers")
    heard = 2 * again[1] <= again[0]  # only what the memory lost with a killed worker or a crashed store comes again
    return heard and not (hour.wrong or lost or twice) and len(hour.took["until answered"]) == hour.count


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the 20,000 calls")
    parser.add_argument("--log", type=Path, help="keep the log of the service here")
    given = parser.parse_args()
    with TemporaryDirectory() as name:
        well = run(round(CALLS * given.scale), Path(name))
        if given.log:
            given.log.write_bytes((Path(name) / "log").read_bytes())
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
