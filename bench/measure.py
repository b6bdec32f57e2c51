"""Fire the same requests at each target in turn, A B A B, so that a change in the machine's speed hits all alike."""

import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.load import Batch, fire, quantile
from bench.payloads import Payload
from bench.servers import Target, machine_busy


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    rounds: int
    seconds: float
    warm_up: float
    quiet: float = 0.08  # a batch during which other programs used more of the machine is fired again
    retries: int = 4
    connections: int = 8


@dataclass
class Series:
    """All batches of one kind against one target."""

    batches: list[Batch] = field(default_factory=list)
    cpu: float = 0.0
    foreign: list[float] = field(default_factory=list)

    @property
    def took(self) -> list[float]:
        return [each for batch in self.batches for each in batch.took]

    @property
    def errors(self) -> dict[str, int]:
        return dict(sum((batch.errors for batch in self.batches), start=type(self.batches[0].errors)()))


def batch_of(
    target: Target, payloads: Sequence[Payload], connections: int, seconds: float
) -> tuple[Batch, float, float]:
    """One batch, the CPU seconds of the server, and the share of the machine that others used meanwhile."""
    server, own, everyone = target.cpu_seconds(), time.process_time(), machine_busy()
    batch = fire(target.port, target.path, payloads, target.check, connections=connections, seconds=seconds)
    cpu = target.cpu_seconds() - server
    others = machine_busy() - everyone - cpu - (time.process_time() - own)
    return batch, cpu, max(0.0, others / batch.wall / 2)


def quiet_batch(series: Series, target: Target, payloads: Sequence[Payload], plan: Plan, connections: int) -> None:
    """Add the quietest of a few batches to the series; the first that is quiet enough ends the search."""
    tries = []
    for _ in range(plan.retries + 1):
        tries.append(batch_of(target, payloads, connections, plan.seconds))
        if tries[-1][2] <= plan.quiet:
            break
        time.sleep(0.3)
    batch, cpu, foreign = min(tries, key=lambda each: each[2])
    series.batches.append(batch)
    series.cpu += cpu
    series.foreign.append(foreign)


def compare(targets: Sequence[Target], payloads: Sequence[Payload], plan: Plan) -> dict[str, dict[str, Any]]:
    """Figures of each target for these requests, one connection and many."""
    alone = {each.name: Series() for each in targets}
    busy = {each.name: Series() for each in targets}
    for target in targets:
        fire(target.port, target.path, payloads, target.check, connections=2, seconds=plan.warm_up)
        target.reset_peak()
    for _ in range(plan.rounds):
        for target in targets:
            quiet_batch(alone[target.name], target, payloads, plan, 1)
        for target in targets:
            quiet_batch(busy[target.name], target, payloads, plan, plan.connections)
    size = len(payloads[0].head) + len(payloads[0].tail) + 36
    return {each.name: figures(each, alone[each.name], busy[each.name], size) for each in targets}


def figures(target: Target, alone: Series, busy: Series, size: int) -> dict[str, Any]:
    """The row of one target; milliseconds, requests per second, megabytes."""
    peak = target.peak_mb()
    return {
        "p50_ms": 1e3 * quantile(alone.took, 0.50),
        "p95_ms": 1e3 * quantile(alone.took, 0.95),
        "p99_ms": 1e3 * quantile(alone.took, 0.99),
        "per_second": statistics.median(each.per_second for each in busy.batches),
        "busy_p99_ms": 1e3 * quantile(busy.took, 0.99),
        "cpu_ms": 1e3 * alone.cpu / len(alone.took),
        "busy_cpu_ms": 1e3 * busy.cpu / len(busy.took),
        "least_served": statistics.median(each.least_served for each in busy.batches),
        "peak_worker_mb": peak[0],
        "peak_workers_mb": sum(peak),
        "errors": {**alone.errors, **busy.errors},
        "requests": [len(alone.took), len(busy.took)],
        "foreign": statistics.median(alone.foreign + busy.foreign),
        "body_bytes": size,
        "rounds_p50_ms": [1e3 * statistics.median(each.took) for each in alone.batches],
        "rounds_per_second": [each.per_second for each in busy.batches],
    }


def ratio(row: dict[str, Any], base: dict[str, Any], key: str) -> float:
    """How a target stands to another: the median over the rounds, each beside its neighbour in time."""
    pairs = zip(row[f"rounds_{key}"], base[f"rounds_{key}"], strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def neighbour(target: Target, heavy: Sequence[Payload], light: Sequence[Payload], seconds: float) -> dict[str, float]:
    """How a small request fares while four connections send hostile ones: its p50 and worst, in milliseconds."""
    crowd = threading.Thread(
        target=fire, args=(target.port, target.path, heavy, target.check), kwargs={"connections": 4, "seconds": seconds}
    )
    crowd.start()
    time.sleep(0.2)
    batch = fire(target.port, target.path, light, target.check, connections=1, seconds=seconds)
    crowd.join()
    if batch.errors:
        print(f"  small beside hostile: {dict(batch.errors)}", file=sys.stderr)
    return {"p50_ms": 1e3 * quantile(batch.took, 0.5), "worst_ms": 1e3 * max(batch.took), "answered": batch.right}
