"""The MIMIC-IV demo beside the project, chart by chart, and what was known of a patient at a time.

Knows: the files of ../shared/data/mimic-demo-fhir. Nothing of it is copied into the project.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.calls import CLOCK, EXPLAIN, INSTANCE

DATA = Path(__file__).parents[2] / "shared" / "data"
MIMIC = DATA / "mimic-demo-fhir"
KINDS = ("Patient", "Encounter", "Observation", "Condition", "MedicationRequest")
# the one date of each kind; a visit is told by the context alone
_DATED = ("effectiveDateTime", "recordedDate", "authoredOn")
_KEYS = {"Patient": "patient", "Encounter": "encounter", "Observation": "observations", "Condition": "conditions"}
_KEYS |= {"MedicationRequest": "medications"}


@dataclass(frozen=True)
class Held:
    """One resource, and since when it is known; None: always."""

    resource: dict[str, Any]
    line: bytes
    since: datetime | None

    @property
    def kind(self) -> str:
        return str(self.resource["resourceType"])

    def period(self) -> tuple[datetime, datetime]:
        """The times of a visit."""
        given = self.resource["period"]
        return datetime.fromisoformat(given["start"]), datetime.fromisoformat(given["end"])


@dataclass
class Chart:
    """All resources of one patient."""

    patient: str
    held: list[Held] = field(default_factory=list)

    @cached_property
    def visits(self) -> list[Held]:
        return [each for each in self.held if each.kind == "Encounter"]

    def end(self) -> datetime:
        """When the last thing was noted."""
        known = [each.since for each in self.held if each.since is not None]
        return max(known + [visit.period()[1] for visit in self.visits])

    def mornings(self) -> list[datetime]:
        """Nine o'clock on each day of each admission."""
        found = set()
        for visit in self.visits:
            start, end = visit.period()
            at = datetime.combine(start.date(), time(9), start.tzinfo)
            while at <= end:
                if at >= start and visit.resource["class"]["code"] != "AMB":
                    found.add(at)
                at += timedelta(days=1)
        return sorted(found)

    def visit_at(self, at: datetime) -> str | None:
        """The visit under way; of several the one that began last."""
        running = [(visit.period()[0], visit.resource["id"]) for visit in self.visits]
        ends = {visit.resource["id"]: visit.period()[1] for visit in self.visits}
        return max(((start, name) for start, name in running if start <= at <= ends[name]), default=(at, None))[1]

    def known_at(self, at: datetime, encounter: str | None) -> Iterator[Held]:
        """What had been noted by then, and of the visits the one that the call names."""
        for each in self.held:
            if each.kind == "Encounter":
                if each.resource["id"] == encounter:
                    yield each
            elif each.since is None or each.since <= at:
                yield each


def charts() -> list[Chart]:
    """All hundred patients."""
    found: dict[str, Chart] = {}
    for kind in KINDS:
        for line in gzip.decompress((MIMIC / f"{kind}.ndjson.gz").read_bytes()).splitlines():
            if not line:
                continue
            resource = json.loads(line)
            owner = resource.get("subject", {}).get("reference", f"Patient/{resource['id']}").split("/")[1]
            since = next((datetime.fromisoformat(resource[name]) for name in _DATED if name in resource), None)
            found.setdefault(owner, Chart(owner)).held.append(Held(resource, line, since))
    return list(found.values())


def request(
    patient: str,
    encounter: str | None,
    at: datetime,
    held: Iterable[Held] | None,
    *,
    none_of: Sequence[str] = (),
    server: str | None = None,
) -> bytes:
    """A call at that time.

    held: the prefetch, one key a kind; None: without prefetch. none_of: keys that were asked for in vain.
    """
    context = {"userId": "Practitioner/p1", "patientId": patient} | ({"encounterId": encounter} if encounter else {})
    body: dict[str, Any] = {"hook": "patient-view", "hookInstance": INSTANCE, "context": context}
    body |= {"extension": {CLOCK: at.isoformat(), EXPLAIN: True}} | ({"fhirServer": server} if server else {})
    if held is None:
        return json.dumps(body).encode()
    lines: dict[str, list[bytes]] = {key: [] for key in ("observations", "conditions", "medications", *none_of)}
    for each in held:
        lines.setdefault(_KEYS[each.kind], []).append(each.line)
    prefetch = b",".join(b'"%s":[%s]' % (key.encode(), b",".join(value)) for key, value in lines.items())
    return json.dumps(body).encode()[:-1] + b',"prefetch":{' + prefetch + b"}}"
