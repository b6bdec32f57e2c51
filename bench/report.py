"""The results as markdown, for the terminal and for docs/performance.md."""

from collections.abc import Iterator, Mapping
from typing import Any

from bench.goals import GOALS

Results = Mapping[str, Any]
KINDS = {"card": "critical card", "none": "no card"}


def markdown(results: Results) -> str:
    """All tables of a run."""
    return (
        "\n".join([*_head(results), *_goals(results), *_sizes(results), *_linearity(results), *_rest(results)]) + "\n"
    )


def _head(results: Results) -> Iterator[str]:
    yield f"Run of {results['at']} on {results['machine']}; content {results['content']}."
    yield f"Other programs used {results['foreign']:.0%} of the machine (median over the batches)."
    yield ""


def _table(*columns: str) -> list[str]:
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def _goals(results: Results) -> Iterator[str]:
    yield from _table("goal", "limit", "measured", "")
    for goal in GOALS:
        yield "| " + " | ".join((goal.what, *goal.judge(results))) + " |"
    yield ""


def _row(label: str, row: Mapping[str, Any], ratio: Mapping[str, float] | None) -> str:
    beside = [f"{ratio['p50_ms']:.2f}", f"{ratio['per_second']:.2f}"] if ratio else ["1", "1"]
    cells = [row["p50_ms"], row["p95_ms"], row["p99_ms"], row["per_second"], row["busy_p99_ms"], row["cpu_ms"]]
    memory = [f"{row['peak_worker_mb']:.0f}", f"{row['least_served']:.2f}"]
    return f"| {label} | " + " | ".join([*(f"{each:.3g}" for each in cells), *memory, *beside]) + " |"


def _sizes(results: Results) -> Iterator[str]:
    columns = ("", "p50 ms", "p95", "p99", "req/s at 8", "busy p99 ms", "CPU ms", "peak worker MB", "least served")
    for size, kinds in results["sizes"].items():
        yield f"**{size}**, {kinds['card']['service']['body_bytes']:,} bytes"
        yield ""
        yield from _table(*columns, "p50 x floor", "req/s x floor")
        for kind, label in KINDS.items():
            yield _row(f"service, {label}", kinds[kind]["service"], kinds[kind]["ratio"])
        yield _row("floor", kinds["none"]["floor"], None)
        yield ""


def _linearity(results: Results) -> Iterator[str]:
    if "linearity" not in results:
        return
    yield from _table("Observations", "service p50 ms", "us each", "floor p50 ms", "ratio")
    for row in results["linearity"]:
        each = 1e3 * row["p50_ms"] / row["observations"]
        floor, ratio = row["floor_p50_ms"], row["p50_ms"] / row["floor_p50_ms"]
        yield f"| {row['observations']:,} | {row['p50_ms']:.3g} | {each:.1f} | {floor:.3g} | {ratio:.2f} |"
    yield ""


def _rest(results: Results) -> Iterator[str]:
    start = results["start"]
    yield f"Start: import {start['import_cpu_s']:.2f} s CPU and {start['import_mb']:.0f} MB; "
    yield f"first answer {start['first_answer_s']:.2f} s after the start; "
    yield f"first request {start['first_request_ms']:.1f} ms, later ones {start['later_p50_ms']:.1f} ms; "
    yield f"idle worker {start['idle_worker_mb']:.0f} MB."
    if "neighbour" in results:
        near = results["neighbour"]
        yield (
            f"Small requests beside four connections of hostile ones: p50 {near['p50_ms']:.0f} ms, "
            f"worst {near['worst_ms']:.0f} ms, {near['answered']} answered."
        )
    if "peers" in results:
        row = results["peers"]["medium"]
        yield (
            f"Medium beside HealthChain {row['version']}: p50 {row['service']['p50_ms']:.2f} to "
            f"{row['healthchain']['p50_ms']:.2f} ms, {row['service']['per_second']:.0f} to "
            f"{row['healthchain']['per_second']:.0f} requests/s."
        )
