"""Shift every limit, window and default range of the content by one per cent, up and down, and see a scenario fail.

`python -m tests.mutation.limits [part of a name ...]` prints what no scenario noticed. mutmut does not see these
numbers: they stand in mappings/, not in the rules. (Unit factors are held against Pint and atomic masses one by one:
tests/terminology/test_units.py.)
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from cds_service.calcinosis.knowledge import Knowledge
from cds_service.terminology.load import load_catalog
from tests.scenarios.signed import signed
from tests.scenarios.test_scenarios import CASES, all_lines

_RANGE = re.compile(r'"range":\{[^}]*\},?')
SHIFTS = (Decimal("0.99"), Decimal("1.01"))


def _shifted(value: Decimal | timedelta, shift: Decimal) -> Any:
    return value * float(shift) if isinstance(value, timedelta) else value * shift


def changes(knowledge: Knowledge) -> Iterator[tuple[str, Knowledge]]:
    """Return the content with one number changed, each with the name of the number."""
    for field in fields(knowledge.criteria):
        for shift in SHIFTS:
            value = _shifted(getattr(knowledge.criteria, field.name), shift)
            criteria = replace(knowledge.criteria, **{field.name: value})
            yield f"{field.name} x {shift}", replace(knowledge, criteria=criteria)
    for place, known in enumerate(knowledge.ranges):
        for end in ("low", "high"):
            value = getattr(known, end)
            for shift in SHIFTS if value is not None else ():
                ranges = list(knowledge.ranges)
                ranges[place] = replace(known, **{end: _shifted(value, shift)})
                name = f"{known.input} from {known.age_from_years} years, {end} {value} x {shift}"
                yield name, replace(knowledge, ranges=tuple(ranges))


def main() -> int:
    catalog, expected = load_catalog(), signed()
    order, tried, unnoticed = list(CASES), 0, 0
    for name, knowledge in changes(catalog.knowledge):
        if len(sys.argv) > 1 and not any(part in name for part in sys.argv[1:]):
            continue
        tried += 1
        changed = replace(catalog, knowledge=knowledge)
        killer = next((each for each in order if _differs(each, changed, expected)), None)
        if killer is None:
            unnoticed += 1
            print(f"unnoticed: {name}", flush=True)
        else:  # the next shift of the same number is likely to be noticed by the same
            order.remove(killer)
            order.insert(0, killer)
    print(f"{tried} changes, {unnoticed} unnoticed")
    return 1 if unnoticed else 0


def _differs(case: Any, catalog: Any, expected: dict[str, list[str]]) -> bool:
    # the range that a value is shown with is not what it leads to
    said = all_lines(case.values[0], catalog)
    return [_RANGE.sub("", line) for line in said] != [_RANGE.sub("", line) for line in expected[str(case.id)]]


if __name__ == "__main__":
    sys.exit(main())
