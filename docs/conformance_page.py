"""Write docs/conformance.md from the requirements and the tests' names: `python -m docs.conformance_page`.

A test holds a requirement when its name begins with the id: test_ch_37_..., test_ch_38_39_..., test_ch_47_rb_26_....
"""

import ast
import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "conformance.md"
DATA = ROOT / "tests" / "conformance"
HELD, NOT_YET, OPEN = "held", "not yet", "open"
STATES = (HELD, "deviates", "not applicable", "elsewhere", NOT_YET, OPEN)
STRENGTHS = ("MUST", "SHOULD", "MAY", "inferred", "beyond")
HEAD = """# Conformance to CDS Hooks

For integrators and reviewers; reference, written from the tests' names by `python -m docs.conformance_page`.

Every requirement of [CDS Hooks 2.0.1](https://cds-hooks.hl7.org/2.0/) on a service, in our own words, with what the
3.0 draft adds: CH rows. RB rows go beyond the standard. A test holds a row when its name begins with the row's id; the
few of other names are listed in `tests/conformance/held_by.toml`. They stand in `tests/conformance/` unless a file is
named. *Inferred*: not said for a service, but following from the client's duty, an RFC, or safety. *Elsewhere*: held by
people, documents or the installation.
"""
_IDS = re.compile(r"test((?:_(?:ch|rb)(?:_\d+)+)+)_[a-z]")


class Requirement(NamedTuple):
    """One row of requirements.csv."""

    id: str
    part: str
    strength: str
    text: str


class Exceptional(NamedTuple):
    """One row of exceptions.toml."""

    state: str
    reason: str


def requirements() -> list[Requirement]:
    with (DATA / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return [Requirement(**{"text": row.pop("requirement"), **row}) for row in csv.DictReader(file)]


def exceptions() -> dict[str, Exceptional]:
    rows = tomllib.loads((DATA / "exceptions.toml").read_text("utf-8"))
    return {name: Exceptional(**row) for name, row in rows.items()}


def ids_of(name: str) -> Iterator[str]:
    """The requirements that a test of this name holds."""
    found = _IDS.match(name)
    kind = ""
    for part in found[1].strip("_").split("_") if found else ():
        if part.isdigit():
            yield f"{kind.upper()}-{part}"
        else:
            kind = part


def names() -> list[str]:
    """All tests of the project, each as file::name."""
    return [
        f"{path.relative_to(ROOT / 'tests').as_posix()}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    ]


def held_by() -> dict[str, list[str]]:
    """The tests of another name, by the requirement that they hold."""
    return tomllib.loads((DATA / "held_by.toml").read_text("utf-8"))


def tests() -> dict[str, list[str]]:
    """The tests by the requirement that they hold."""
    by_id: dict[str, list[str]] = {}
    for name in names():
        for each in ids_of(name.partition("::")[2]):
            by_id.setdefault(each, []).append(name)
    for each, others in held_by().items():
        by_id.setdefault(each, []).extend(others)
    return by_id


def state_of(each: Requirement, known: Mapping[str, Exceptional], held: Mapping[str, object]) -> str:
    state = known[each.id].state if each.id in known else OPEN
    return HELD if state in (NOT_YET, OPEN) and each.id in held else state


def page() -> str:
    """The whole page."""
    rows, known, held = requirements(), exceptions(), tests()
    lines = [HEAD, *_count(rows, known, held), *_deviations(rows, known)]
    for part in dict.fromkeys(each.part for each in rows):
        lines += ["", f"## {part}", "", "| id | strength | requirement | state |", "|---|---|---|---|"]
        for each in (row for row in rows if row.part == part):
            reason = known[each.id].reason if each.id in known else ""
            told = [
                f"{state_of(each, known, held)}{': ' if reason else ''}{reason}",
                *map(_named, held.get(each.id, ())),
            ]
            lines.append(f"| {each.id} | {each.strength} | {_cell(each.text)} | {_cell('<br>'.join(told))} |")
    return "\n".join(lines) + "\n"


def _count(rows: Iterable[Requirement], known: Mapping[str, Exceptional], held: Mapping[str, object]) -> Iterator[str]:
    counted = Counter((each.strength, state_of(each, known, held)) for each in rows)
    states = [state for state in STATES if any(counted[strength, state] for strength in STRENGTHS)]
    yield f"| | {' | '.join(states)} | all |"
    yield f"|---|{'---|' * (len(states) + 1)}"
    for strength in STRENGTHS:
        numbers = [counted[strength, state] for state in states]
        yield f"| {strength} | {' | '.join(map(str, numbers))} | {sum(numbers)} |"
    numbers = [sum(counted[strength, state] for strength in STRENGTHS) for state in states]
    yield f"| all | {' | '.join(map(str, numbers))} | {sum(numbers)} |"


def _deviations(rows: Iterable[Requirement], known: Mapping[str, Exceptional]) -> Iterator[str]:
    yield from ("", "## Deviations", "")
    for each in rows:
        if each.id in known and known[each.id].state == "deviates":
            yield f"- **{each.id}** ({each.strength}): {each.text} {known[each.id].reason}"


def _named(test: str) -> str:
    file, _, name = test.partition("::")
    return f"`{name}`" if file.startswith("conformance/") else f"`{name}` ({file})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(f"wrote {PAGE.relative_to(ROOT)}")
