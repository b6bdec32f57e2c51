"""Numbers for operators in the form of Prometheus; labels name services, rules, reasons and clients, never a person.

Knows: which numbers there are and where in a DecisionRecord they stand.
Must not know: HTTP; how processes share numbers (shared.py).
"""

import threading
from collections.abc import Callable, Sequence
from platform import python_version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from cds_service.fhir.gather import Fetch, Fetched, Query
from cds_service.observe.shared import shared_folder, text_of_all
from cds_service.storage.records import UNMAPPED, DecisionRecord

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


class Metrics:
    """The numbers of one process, or its share of those of a server with several.

    losses: how many batches the journal failed to write and how many records it lost so far, in this process.
    """

    def __init__(
        self, *, version: str, content: tuple[str, str], losses: Callable[[], tuple[int, int]] = lambda: (0, 0)
    ) -> None:
        own = self._own = CollectorRegistry()
        self._losses, self._lost, self._counting = losses, (0, 0), threading.Lock()
        self._seconds = Histogram(
            "cds_call_seconds",
            "Time of a hook call, by how it ended: decided, or the status of the refusal.",
            ("service", "outcome"),
            buckets=_SECONDS,
            registry=own,
        )
        self._calls = _counter("calls", "Hook calls by client.", own, "service", "tenant", "outcome")
        self._tiers = _counter("judgements", "Judgements by tier, with or without a card.", own, "service", "tier")
        self._cards = _counter("cards", "Cards by tier and the rule that leads.", own, "service", "tier", "rule")
        self._gaps = _counter("gaps", "Values that were looked for and could not be used, by reason.", own, "reason")
        self._unmapped = _counter("unmapped_codes", "Codes like calcium or phosphate that no table maps.", own)
        self._reads = _counter("fhir_reads", "Queries to FHIR servers: complete, late, failed.", own, "outcome")
        self._feedback = _counter("feedback", "Feedback on cards.", own, "service", "outcome")
        self._failures = _counter("journal_failures", "Batches that the journal could not write.", own)
        self._dropped = _counter("journal_dropped", "Records that the journal lost.", own)
        _info("cds_content_info", "Clinical content in use.", own, version=content[0], digest=content[1])
        _info("cds_build_info", "Program in use.", own, version=version, python=python_version())

    def record(self, entry: DecisionRecord) -> None:
        """Count one call."""
        seconds = (entry.read_ms + entry.decide_ms + entry.answer_ms) / 1000
        self._seconds.labels(entry.service, entry.outcome).observe(seconds)
        self._calls.labels(entry.service, entry.tenant or "", entry.outcome).inc()
        if entry.tier is not None:
            self._tiers.labels(entry.service, entry.tier).inc()
            if entry.cards:
                self._cards.labels(entry.service, entry.tier, entry.headline or "").inc(entry.cards)
        for reason, count in entry.gaps.items():
            if reason == UNMAPPED:
                self._unmapped.inc(count)
            else:
                self._gaps.labels(reason).inc(count)
        self._note_losses()

    def feedback(self, service: str, outcome: str) -> None:
        """Count one piece of feedback that was taken."""
        self._feedback.labels(service, outcome).inc()

    def counted(self, fetch: Fetch) -> Fetch:
        """The same reads, counted."""
        return _Counted(fetch, self._reads)

    def text(self) -> bytes:
        """All numbers, of all processes that share a folder."""
        self._note_losses()
        folder = shared_folder()
        return text_of_all(folder) if folder else generate_latest(self._own)

    def _note_losses(self) -> None:
        with self._counting:
            before, self._lost = self._lost, self._losses()
            failures, dropped = (now - then for now, then in zip(self._lost, before, strict=True))
        if failures or dropped:
            self._failures.inc(failures)
            self._dropped.inc(dropped)


class _Counted:
    """A Fetch that counts how its queries ended."""

    def __init__(self, fetch: Fetch, reads: Counter) -> None:
        self._fetch, self._reads = fetch, reads

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        answers = self._fetch.read(queries)
        for answer in answers:
            self._reads.labels(_outcome(answer.failure)).inc()
        return answers


def _outcome(failure: str | None) -> str:
    if failure is None:
        return "complete"
    return "late" if "in time" in failure else "failed"


def _counter(name: str, what: str, registry: CollectorRegistry, *labels: str) -> Counter:
    return Counter(f"cds_{name}", what, labels, registry=registry)


def _info(name: str, what: str, registry: CollectorRegistry, **labels: str) -> None:
    gauge = Gauge(name, what, tuple(labels), registry=registry, multiprocess_mode="max")
    gauge.labels(**labels).set(1)
