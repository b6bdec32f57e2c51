"""What lies below the reviewed SNOMED CT concepts, asked of a FHIR terminology server once, for review.

Knows: ValueSet/$expand of implicit value sets (ECL), pages, editions; the rows of conditions.snomed.expanded.csv.
Must not know: hook calls. Nothing here is used while one is answered; a half answer is refused as a whole.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import requests

from cds_service.terminology import layout
from cds_service.terminology.codes import SNOMED
from cds_service.terminology.content import Content
from cds_service.terminology.table import Row

TIMEOUTS: Final = (5.0, 60.0)
PAGE: Final = 500
MOST_CODES: Final = 200_000
# Marks of an expansion that is known not to be whole.
_PARTIAL: Final = frozenset(
    f"http://hl7.org/fhir/StructureDefinition/valueset-{mark}" for mark in ("unclosed", "toocostly")
)


class ExpansionFailed(Exception):
    """Why nothing was expanded, in words for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """The concepts at and below one concept with their displays, and the edition that says so."""

    edition: str
    displays: Mapping[str, str]


class Expand(Protocol):
    """A terminology server."""

    def below(self, code: str) -> Expansion:
        """Return a concept and all below it."""


@dataclass(frozen=True, slots=True)
class TerminologyServer:
    """ValueSet/$expand over HTTP. base: the FHIR base URL; page: how many codes are asked for at once."""

    base: str
    page: int = PAGE
    session: requests.Session = field(default_factory=requests.Session)

    def below(self, code: str) -> Expansion:
        """Return a concept and all below it. Raises: ExpansionFailed."""
        displays: dict[str, str] = {}
        edition = ""
        while True:
            expansion = self._page(code, len(displays))
            entries = dict(_entries(expansion.get("contains"), code))
            found = _edition(expansion, code)
            if edition and found != edition:
                raise ExpansionFailed(f"{code}: the edition changed between two pages: {edition}, {found}")
            edition, total = found, expansion.get("total")
            if not entries:
                break
            if entries.keys() <= displays.keys():
                raise ExpansionFailed(f"{code}: the server sends the same page again; it does not page by offset")
            displays |= entries
            if len(displays) > MOST_CODES:
                raise ExpansionFailed(f"{code}: more than {MOST_CODES} concepts")
            if isinstance(total, int) and len(displays) >= total:
                break
        if code not in displays:
            raise ExpansionFailed(f"{code}: the server does not know the concept, or it is not active there")
        if isinstance(total, int) and len(displays) != total:
            raise ExpansionFailed(f"{code}: the server counts {total} concepts and sent {len(displays)}")
        return Expansion(edition, displays)

    def _page(self, code: str, offset: int) -> dict[str, Any]:
        asked = {"url": f"{SNOMED}?fhir_vs=ecl/<<{code}", "count": str(self.page), "offset": str(offset)}
        try:
            answer = self.session.get(
                f"{self.base.rstrip('/')}/ValueSet/$expand",
                params=asked,
                headers={"Accept": "application/fhir+json"},
                timeout=TIMEOUTS,
            )
            body = answer.json() if answer.status_code == requests.codes.ok else None
        except requests.JSONDecodeError as problem:
            raise ExpansionFailed(f"{code}: the answer is not JSON") from problem
        except requests.RequestException as problem:
            raise ExpansionFailed(f"{code}: {type(problem).__name__}: no usable answer from {self.base}") from problem
        if answer.status_code != requests.codes.ok:
            raise ExpansionFailed(f"{code}: the server answered with status {answer.status_code}")
        expansion = body.get("expansion") if isinstance(body, dict) else None
        if not isinstance(expansion, dict):
            raise ExpansionFailed(f"{code}: the answer is not an expanded ValueSet")
        if any(isinstance(each, dict) and each.get("url") in _PARTIAL for each in _list(expansion.get("extension"))):
            raise ExpansionFailed(f"{code}: the server says that its expansion is not whole")
        return expansion


def _entries(contains: object, code: str) -> Iterator[tuple[str, str]]:
    for entry in _list(contains):
        if not isinstance(entry, dict):
            raise ExpansionFailed(f"{code}: the expansion holds something that is no entry")
        if entry.get("code") and not entry.get("abstract"):
            if entry.get("system") != SNOMED or not entry.get("display"):
                raise ExpansionFailed(f"{code}: {entry.get('code')} is not SNOMED CT, or has no display")
            yield str(entry["code"]), " ".join(str(entry["display"]).split())
        yield from _entries(entry.get("contains"), code)


def _edition(expansion: Mapping[str, Any], code: str) -> str:
    """Return the version URI of the edition. Without one the rows could not be traced: refused."""
    for parameter in _list(expansion.get("parameter")):
        if isinstance(parameter, dict) and parameter.get("name") in ("version", "used-codesystem"):
            value = next((str(parameter[key]) for key in ("valueUri", "valueString") if key in parameter), "")
            system, _, version = value.partition("|")
            if system == SNOMED and layout.EXPANDED.columns["source"](version, {}) is None:
                return version
    raise ExpansionFailed(f"{code}: the expansion does not name the version of the edition")


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


# ---- rows


def expanded_table(content: Content, server: Expand) -> str:
    """Return conditions.snomed.expanded.csv: what lies below reviewed concepts and is neither reviewed nor rejected.

    Only concepts that state their target (exact, narrower) with include=descendants are expanded. A code below two of
    them takes the nearest, as for ATC classes: what was said of a narrower concept is not said again by a wider one.
    """
    parents: dict[str, list[Row]] = defaultdict(list)
    for row in content.of(layout.FINDINGS[SNOMED]):
        if row["include"] == "descendants" and row["specificity"] in ("exact", "narrower"):
            parents[row["code"]].append(row)
    below = {code: server.below(code) for code in sorted(parents)}
    editions = sorted({each.edition for each in below.values()})
    if len(editions) > 1:
        raise ExpansionFailed(f"the server answered from different editions: {', '.join(editions)}")
    spoken_for = {row["code"] for row in content.of(layout.FINDINGS[SNOMED])}
    spoken_for |= {row["code"] for row in content.of(layout.REJECTED_FINDINGS[SNOMED])}
    displays = {code: display for each in below.values() for code, display in each.displays.items()}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(layout.EXPANDED.columns)
    for code in sorted(displays.keys() - spoken_for):
        nearest = _nearest([parent for parent in below if code in below[parent].displays], below)
        table.writerows(
            _rows(code, displays[code], [row for parent in nearest for row in parents[parent]], editions[0])
        )
    return out.getvalue()


def _nearest(ancestors: list[str], below: Mapping[str, Expansion]) -> list[str]:
    return [
        code for code in ancestors if not any(other != code and other in below[code].displays for other in ancestors)
    ]


def _rows(code: str, display: str, parents: list[Row], edition: str) -> Iterator[list[str]]:
    by_concept: dict[str, list[Row]] = defaultdict(list)
    for row in parents:
        by_concept[row["concept"]].append(row)
    for concept, rows in sorted(by_concept.items()):
        # history counts only where every reviewed concept above says so
        history = "any" if all(row["history"] == "any" for row in rows) else "active"
        note = f"below {', '.join(sorted({row['code'] for row in rows}))}"
        yield [code, display, concept, "self", history, "narrower", edition, note]
