"""Every patient of the MIMIC-IV demo through the HTTP endpoint, at the end of the record and each morning in hospital.

No error, the counts that a correct reading must meet, and a table of the cards (make replay).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.calls import ASSESSMENT, PATIENT_VIEW
from tests.mimic import MIMIC, Chart, Held, charts, request

pytestmark = [
    pytest.mark.replay,
    pytest.mark.skipif(not MIMIC.is_dir(), reason="the open data sets are not here"),
]
CODES = {"17861-6": "ca_total", "2777-1": "phosphate", "1994-3": "ca_ionized"}
TIERS = ("critical", "warning", "info", "none")

Json = dict[str, Any]


@pytest.fixture(scope="module")
def patients() -> list[Chart]:
    return charts()


@pytest.fixture(scope="module")
def hospital(catalog: Catalog) -> Iterator[FlaskClient]:
    """The service as in production, but for the clock and the assessment on request."""
    settings = read_settings({}, sandbox=True, validate_evidence=False, database_url="")
    with create_app(settings, catalog=catalog).test_client() as client:
        yield client


class Tally:
    """Openings, cards and pairs."""

    def __init__(self) -> None:
        self.tiers: Counter[str] = Counter()
        self.cards: Counter[str] = Counter()
        self.pairs: dict[tuple[str, str, str], float] = {}

    def add(self, patient: str, answer: Json) -> None:
        told = answer["extension"][ASSESSMENT]
        self.tiers[told["tier"]] += 1
        self.cards.update(card["indicator"] for card in answer["cards"])
        if product := told["product"]:
            pair = (patient, product["calcium"]["reference"], product["phosphate"]["reference"])
            self.pairs[pair] = float(product["value"])

    def above(self, limit: float) -> int:
        return sum(value > limit for value in self.pairs.values())

    def line(self, what: str) -> str:
        told = "  ".join(f"{tier} {self.tiers[tier]:5d}" for tier in TIERS)
        return (
            f"{what:34} {self.tiers.total():5d} openings  {told}  {self.cards.total():3d} cards  "
            f"{len(self.pairs):5d} pairs  {self.above(55):3d} above 55  {self.above(70):3d} above 70"
        )


def answered(hospital: FlaskClient, body: bytes) -> Json:
    answer = hospital.post(PATIENT_VIEW, data=body, content_type="application/json")
    assert answer.status_code == 200, answer.text
    told: Json = answer.get_json()
    return told


def test_every_patient_is_judged_at_the_end_of_the_record(hospital: FlaskClient, patients: list[Chart]) -> None:
    tally = Tally()
    for chart in patients:
        at = chart.end()
        visit = chart.visit_at(at)
        tally.add(chart.patient, answered(hospital, request(chart.patient, visit, at, chart.known_at(at, visit))))
    print("\n" + tally.line("end of the record"))
    assert tally.tiers.total() == 100


def test_every_patient_is_judged_on_each_day_of_each_admission(hospital: FlaskClient, patients: list[Chart]) -> None:
    then, whole = Tally(), Tally()
    for chart in patients:
        for at in chart.mornings():
            visit = chart.visit_at(at)
            then.add(chart.patient, answered(hospital, request(chart.patient, visit, at, chart.known_at(at, visit))))
            everything = [each for each in chart.held if each.kind != "Encounter" or each.resource["id"] == visit]
            whole.add(chart.patient, answered(hospital, request(chart.patient, visit, at, everything)))
    print("\n" + then.line("each day 09:00, as known then"))
    print(whole.line("each day 09:00, the whole record"))
    # what the population screen tells of the same moments
    assert (then.tiers.total(), len(then.pairs), then.above(55), then.above(70)) == (1944, 1498, 55, 14)
    assert {tier: then.tiers[tier] for tier in TIERS[:3]} == {"critical": 14, "warning": 42, "info": 21}
    assert then.cards == {"critical": 14, "warning": 42, "info": 21}
    # results of later days are not used; what is dated a few minutes ahead is, for clocks differ (dates.py)
    assert whole.tiers.total() == then.tiers.total()
    assert len(whole.pairs.items() ^ then.pairs.items()) < 0.05 * len(then.pairs)


def alone(chart: Chart) -> Iterator[tuple[str, Held]]:
    """Each result of calcium, phosphate or ionised calcium."""
    for each in chart.held:
        if each.kind == "Observation":
            codes = {coding["code"] for coding in each.resource["code"]["coding"]} & CODES.keys()
            if codes:
                yield CODES[codes.pop()], each


def test_every_calcium_and_phosphate_is_used_or_refused(hospital: FlaskClient, patients: list[Chart]) -> None:
    used: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    owners = {name: set[str]() for name in CODES.values()}
    for chart in patients:
        (patient,) = (each for each in chart.held if each.kind == "Patient")
        for name, each in alone(chart):
            assert each.since is not None
            answer = answered(hospital, request(chart.patient, None, each.since, [patient, each]))
            told = answer["extension"][ASSESSMENT]
            reference = f"Observation/{each.resource['id']}"
            used[name] += (name, reference) in {(value["input"], value["reference"]) for value in told["values"]}
            refused[name] += (name, reference) in {(gap["analyte"], gap["reference"]) for gap in told["gaps"]}
            owners[name].add(chart.patient)
    print("\n" + "\n".join(f"{name:12} {used[name]:5d} used  {refused[name]} refused" for name in used))
    # one calcium of 2.7 mg/dL lies below the plausibility window
    assert used == {"ca_total": 2376, "phosphate": 2336, "ca_ionized": 509}
    assert +refused == {"ca_total": 1}
    assert {name: len(held) for name, held in owners.items()}["ca_total"] == 99
