"""All that is said of every scenario, kept in assessments.txt: `python -m tests.scenarios.signed` writes it anew.

A scenario says what matters; this holds the rest, so that a change that nobody meant is seen, and reviewed as a diff.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from cds_service.calcinosis.assessment import Assessment
from cds_service.calcinosis.orders import OrderAdvice

FILE = Path(__file__).with_name("assessments.txt")


def lines_of(judgement: Assessment | OrderAdvice) -> list[str]:
    """The fields that hold something, a line each."""
    fields = msgspec.to_builtins(judgement, order="deterministic")
    return [
        f"{name}: {msgspec.json.encode(kept, order='sorted').decode()}"
        for name, value in fields.items()
        if name != "evaluated_at" and (kept := _filled(value)) not in (None, {}, [])
    ]


def _filled(value: Any) -> Any:
    """Without what says nothing; of a measurement, which the scenario states, only which one it is."""
    if isinstance(value, Mapping):
        if "reported" in value:
            return " ".join(str(value[name]) for name in ("reference", "comparator", "reported", "unit") if value[name])
        kept = {name: _filled(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, {}, [], False)}
    if isinstance(value, list | tuple):
        return [_filled(each) for each in value]
    return value


def signed() -> dict[str, list[str]]:
    """By scenario, the lines of its assessment, and of what is said of its orders, as they were signed."""
    blocks = FILE.read_text(encoding="utf-8").split("\n\n")
    return {title: lines for title, *lines in (block.splitlines() for block in blocks if block)}


def _blocks() -> Iterator[str]:
    from cds_service.terminology.load import load_catalog
    from tests.scenarios.test_scenarios import CASES, all_lines

    catalog = load_catalog()
    for case in CASES:
        yield "\n".join([str(case.id), *all_lines(case.values[0], catalog)])


if __name__ == "__main__":
    FILE.write_text("\n\n".join(_blocks()) + "\n", encoding="utf-8")
