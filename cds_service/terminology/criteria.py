"""Reading the TOML files: limits and windows, sources, and what this content is.

Knows: that criteria.toml has one table for each field of Criteria, and the unit that the name of a field asks for.
Must not know: any limit.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from cds_service.calcinosis.knowledge import Criteria
from cds_service.terminology.catalog import Source
from cds_service.terminology.table import Problems

CRITERIA_FILE: Final = "criteria.toml"
SOURCES_FILE: Final = "sources.toml"
MANIFEST_FILE: Final = "manifest.toml"
RELEASES: Final = ("LOINC", "SNOMED CT", "RxNorm", "ATC", "UCUM", "ICD-10-CM", "ICD-10")

_TABLE = re.compile(r"\[(.+)\]\s*")
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)")
_DECIMAL = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_VERSION = re.compile(r"\d{4}\.\d{1,2}\.\d+", re.ASCII)

_DURATIONS: Final[Mapping[str, timedelta]] = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
# The longest ending that fits decides.
_UNIT_OF_ENDING: Final[Mapping[str, str]] = {
    "_mg_dl_per_g_dl": "mg/dL per g/dL",
    "_mg2_dl2": "mg2/dL2",
    "_kg_m2": "kg/m2",
    "_iu_per_day": "[iU]/d",
    "_mg_dl": "mg/dL",
    "_mmol_l": "mmol/L",
    "_g_dl": "g/dL",
    "_pg_ml": "pg/mL",
    "_ng_ml": "ng/mL",
    "_u_l": "U/L",
    "_years": "a",
    "_days": "d",
    "_ratio": "1",
    "_fraction": "1",
    "_multiple": "1",
}
_UNIT_OF_START: Final[Mapping[str, str]] = {"egfr_": "mL/min/{1.73_m2}", "ph_": "[pH]"}
_REQUIRED: Final = frozenset({"value", "unit", "meaning", "rules", "source"})
_LOCAL: Final = frozenset({"local", "min", "max"})


def parse_toml(text: str, problems: Problems, *, name: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the document and the line of each of its tables."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        form = _TABLE.fullmatch(line)
        if form is not None:
            lines.setdefault(form[1].strip('"'), number)
    try:
        return tomllib.loads(text), lines
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        problems.add(name, int(at[1]) if at else 0, "file", f"is not TOML: {_AT_LINE.sub('', str(error))}")
        return {}, {}


def unit_for(field: str) -> str | None:
    """Return the unit that the name of a criterion asks for; None for a duration."""
    for ending, unit in _UNIT_OF_ENDING.items():
        if field.endswith(ending):
            return unit
    return next((unit for start, unit in _UNIT_OF_START.items() if field.startswith(start)), None)


FIELDS: Final[Mapping[str, type]] = {each.name: each.type for each in fields(Criteria) if isinstance(each.type, type)}


def read_criteria(
    text: str, known_sources: frozenset[str], problems: Problems
) -> tuple[dict[str, Decimal | timedelta], dict[str, tuple[Decimal, Decimal]]]:
    """Return the value of each criterion, and the bounds of those that a site may set."""
    document, lines = parse_toml(text, problems, name=CRITERIA_FILE)
    values: dict[str, Decimal | timedelta] = {}
    bounds: dict[str, tuple[Decimal, Decimal]] = {}
    for field in FIELDS:
        if document and field not in document:
            problems.add(CRITERIA_FILE, 0, field, "is missing")
    for field, entry in document.items():
        reader = _Entry(field, entry, lines.get(field, 0), problems)
        if field not in FIELDS:
            reader.say("is not a field of Criteria")
        elif reader.has_keys(_REQUIRED, _REQUIRED | _LOCAL):
            reader.check_words(known_sources)
            value = reader.value()
            if value is not None:
                values[field] = value
            if _LOCAL & entry.keys():
                reader.add_bounds(bounds)
    return values, bounds


class _Entry:
    """One table of criteria.toml."""

    def __init__(self, field: str, entry: Any, line: int, problems: Problems, *, file: str = CRITERIA_FILE) -> None:
        self.field, self.entry, self.line, self.problems, self.file = field, entry, line, problems, file

    def say(self, text: str) -> None:
        self.problems.add(self.file, self.line, self.field, text)

    def has_keys(self, required: frozenset[str], allowed: frozenset[str]) -> bool:
        """Check that it is a table with these keys."""
        if not isinstance(self.entry, dict):
            self.say("is not a table")
            return False
        missing, unknown = sorted(required - self.entry.keys()), sorted(self.entry.keys() - allowed)
        if missing:
            self.say(f"has no {', '.join(missing)}")
        if unknown:
            self.say(f"has unknown {', '.join(unknown)}; known are {', '.join(sorted(allowed))}")
        return not missing

    def decimal(self, key: str) -> Decimal | None:
        """Return a number that is written as text, so that it stays exact."""
        text = self.entry.get(key)
        if isinstance(text, str) and _DECIMAL.fullmatch(text):
            return Decimal(text)
        self.say(f"{key} {text!r} is not a plain decimal in quotes")
        return None

    def value(self) -> Decimal | timedelta | None:
        """Return the value in the unit that the field asks for."""
        number, unit = self.decimal("value"), self.entry["unit"]
        if FIELDS[self.field] is timedelta:
            if unit not in _DURATIONS:
                self.say(f"unit {unit!r} is not one of: {', '.join(_DURATIONS)}")
                return None
            return None if number is None else _duration(number, unit)
        if unit != unit_for(self.field):
            self.say(f"unit {unit!r} is not {unit_for(self.field)!r}, which the name asks for")
            return None
        return number

    def check_words(self, known_sources: frozenset[str]) -> None:
        """Check meaning, rules and source."""
        meaning, rules, source = (self.entry[key] for key in ("meaning", "rules", "source"))
        if not (isinstance(meaning, str) and meaning.strip()):
            self.say("meaning is empty")
        if not (isinstance(rules, list) and rules and all(isinstance(rule, str) for rule in rules)):
            self.say("rules is not a list of rule ids")
        if not isinstance(source, str) or source.split(":")[0] not in known_sources:
            self.say(f"source {source!r} is not in {SOURCES_FILE}")

    def add_bounds(self, bounds: dict[str, tuple[Decimal, Decimal]]) -> None:
        """Read the limits of what a site may set."""
        if self.entry.get("local") != "allowed":
            self.say('local is not "allowed"')
        low, high, value = self.decimal("min"), self.decimal("max"), self.decimal("value")
        if low is None or high is None or value is None:
            return
        if low <= value <= high:
            bounds[self.field] = (low, high)
        else:
            self.say(f"value {value} is not within {low} to {high}")


def _duration(number: Decimal, unit: str) -> timedelta:
    whole = number * int(_DURATIONS[unit].total_seconds())
    return timedelta(seconds=int(whole))


def read_local_criteria(
    text: str, bounds: Mapping[str, tuple[Decimal, Decimal]], problems: Problems, *, name: str
) -> dict[str, Decimal | timedelta]:
    """Return the limits that a site sets itself; only allowed ones, within their bounds, in the same unit."""
    document, lines = parse_toml(text, problems, name=name)
    return local_criteria(document, bounds, problems, name=name, lines=lines)


def local_criteria(
    document: Mapping[str, Any],
    bounds: Mapping[str, tuple[Decimal, Decimal]],
    problems: Problems,
    *,
    name: str,
    lines: Mapping[str, int],
) -> dict[str, Decimal | timedelta]:
    """The same from a document that was parsed already; lines: those of its tables, as far as they are known."""
    values: dict[str, Decimal | timedelta] = {}
    keys = frozenset({"value", "unit", "reason"})
    for field, entry in document.items():
        reader = _Entry(field, entry, lines.get(field, 0), problems, file=name)
        if field not in bounds:
            allowed = ", ".join(sorted(bounds))
            reader.say(f"may not be set by a site; these may: {allowed}")
        elif reader.has_keys(keys, keys):
            value, (low, high) = reader.value(), bounds[field]
            if isinstance(value, Decimal) and not low <= value <= high:
                reader.say(f"value {value} is not within {low} to {high}")
            elif value is not None:
                values[field] = value
    return values


def read_sources(text: str, problems: Problems) -> dict[str, Source]:
    """Return the sources by id."""
    document, lines = parse_toml(text, problems, name=SOURCES_FILE)
    sources = {}
    for name, entry in document.items():
        reader = _Entry(name, entry, lines.get(name, 0), problems, file=SOURCES_FILE)
        if not reader.has_keys(frozenset({"title", "kind"}), frozenset({"title", "kind", "year", "url"})):
            continue
        year, url = entry.get("year"), entry.get("url")
        if year is not None and not isinstance(year, int):
            reader.say(f"year {year!r} is not a whole number")
        if url is not None and not (isinstance(url, str) and url.startswith("https://")):
            reader.say(f"url {url!r} does not begin with https://")
        sources[name] = Source(name, entry["title"], entry["kind"], year, url)
    return sources


def read_version(text: str, problems: Problems) -> str:
    """Return the content version, and check that the manifest says what the content is and who answers for it."""
    document, lines = parse_toml(text, problems, name=MANIFEST_FILE)
    for key, kind in (("version", str), ("date", str), ("reviewers", list), ("remark", str), ("releases", dict)):
        if not isinstance(document.get(key), kind):
            problems.add(MANIFEST_FILE, 0, key, f"is missing or not a {kind.__name__}")
    version = document.get("version")
    if isinstance(version, str) and not _VERSION.fullmatch(version):
        problems.add(MANIFEST_FILE, 0, "version", f"{version!r} is not year.month.number")
    releases = document.get("releases")
    for system in RELEASES:
        if isinstance(releases, dict) and not releases.get(system):
            problems.add(MANIFEST_FILE, lines.get("releases", 0), "releases", f"names no release of {system}")
    return str(version)
