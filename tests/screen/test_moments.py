"""When patients are judged, and what counts at a past moment."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.calcinosis.assessment import Assessment, Dialysis, Setting, Tier
from cds_service.calcinosis.facts import EncounterClass
from cds_service.fhir import shapes
from cds_service.keeping import windows_of
from cds_service.screen.known import Known
from cds_service.screen.moments import parse_at
from cds_service.screen.repeats import Repeats, guidance_of
from cds_service.settings import read_settings
from cds_service.terminology.catalog import Catalog
from tests.builders import condition, encounter, patient
from tests.calls import calcium, phosphate
from tests.conftest import NOW
from tests.screen.runs import WINDOWS, lines_of, screened, write

Json = dict[str, Any]
MORNING = "2026-10-10T07:30:00+02:00"
STAY = {"start": "2026-10-09T14:00:00+02:00", "end": "2026-10-12T09:00:00+02:00"}


def lines(catalog: Catalog, folder: Path, *resources: Json, **choices: Any) -> list[Json]:
    write(folder / "in" / "x.ndjson", [patient(), *resources])
    screened(catalog, [folder / "in"], folder / "out", **choices)
    return [json.loads(line) for line in lines_of(folder / "out")]


def test_latest_is_when_the_newest_result_was_known(catalog: Catalog, tmp_path: Path) -> None:
    (line,) = lines(
        catalog, tmp_path, calcium(10.5), phosphate(7.5, effectiveDateTime=MORNING, issued="2026-10-10T09:15:00+02:00")
    )
    assert line["at"] == "2026-10-12T07:30:00+02:00"
    (line,) = lines(catalog, tmp_path, phosphate(7.5, effectiveDateTime=MORNING, issued="2026-10-10T09:15:00+02:00"))
    assert line["at"] == "2026-10-10T09:15:00+02:00"


TIMES = [
    *("2026-10-12T07:30:00+02:00", "2026-10-12T06:30:00Z", "2026-10-12T07:30:01+02:00", "2026-10-12T07:30:00.5+02:00"),
    *("2026-10-12", "2026-10", "", "yesterday", "2026-13-40T07:30:00+02:00", "2026-10-12T07:30:00", "9"),
]


USUAL = st.sampled_from(TIMES[:3])
ODD = st.sampled_from(TIMES)


@given(
    st.lists(st.tuples(USUAL, st.none() | USUAL, st.just(False)), max_size=4)
    | st.lists(st.tuples(USUAL | ODD, st.none() | USUAL | ODD, st.booleans()), max_size=6)
)
def test_the_newest_result_is_found_by_its_text_or_by_all_times(held: list[tuple[str, str | None, bool]]) -> None:
    results = [
        msgspec.json.decode(
            msgspec.json.encode(
                {"resourceType": "Observation", "issued": issued}
                | ({"effectivePeriod": {"start": text}} if is_period else {"effectiveDateTime": text})
            ),
            type=shapes.Observation,
        )
        for text, issued, is_period in held
    ]
    known = Known(NOW.tzinfo)
    since = [known.result(each) for each in results]
    newest = max((at for at in since if at is not None), default=None)
    of_then = [each for each, at in zip(results, since, strict=True) if at is not None and at == newest]
    assert known.newest(results) == (newest, of_then)


def test_a_result_counts_from_its_issue_on(catalog: Catalog, tmp_path: Path) -> None:
    results = (
        calcium(10.5, effectiveDateTime=MORNING),
        phosphate(7.5, effectiveDateTime=MORNING, issued="2026-10-10T09:15:00+02:00"),
    )
    found = lines(catalog, tmp_path, *results, at="each-result")
    assert [(line["at"][11:16], line["assessment"]["product"] is None) for line in found] == [
        ("07:30", True),
        ("09:15", False),
    ]
    (line,) = lines(catalog, tmp_path, *results, at="2026-10-10T09:00:00+02:00")
    assert line["assessment"]["product"] is None
    assert not any("future" in gap["detail"] for gap in line["assessment"]["gaps"])


def test_each_day_of_an_admission_has_one_opening(catalog: Catalog, tmp_path: Path) -> None:
    found = lines(
        catalog, tmp_path, calcium(10.5), encounter("IMP", period=STAY, status="finished"), at="each-day 09:00"
    )
    assert [line["at"] for line in found] == [f"2026-10-{day}T09:00:00+02:00" for day in (10, 11, 12)]
    assert {line["encounter"] for line in found} == {"e1"}
    assert {line["assessment"]["setting"]["class"] for line in found} == {"inpatient"}


@pytest.mark.parametrize(
    ("visit", "count"),
    [
        (encounter("AMB", period=STAY), 0),
        (encounter("IMP", period=STAY, status="cancelled"), 0),
        (encounter("IMP", period={"start": STAY["start"]}), 3),
        (encounter("IMP", period={"start": "2020-01-01", "end": "2026-10-01"}), 0),
        (encounter("IMP"), 0),
    ],
)
def test_visits_that_are_no_admissions_have_none(catalog: Catalog, tmp_path: Path, visit: Json, count: int) -> None:
    newest = calcium(10.5, effectiveDateTime="2026-10-12T09:30:00+02:00")
    assert len(lines(catalog, tmp_path, newest, visit, at="each-day 09:00")) == count


def test_each_encounter_is_looked_at_when_it_begins(catalog: Catalog, tmp_path: Path) -> None:
    found = lines(catalog, tmp_path, encounter("AMB", period=STAY), at="each-encounter")
    assert [(line["at"], line["encounter"]) for line in found] == [(STAY["start"], "e1")]


@pytest.mark.parametrize(("everything", "known"), [(False, False), (True, True)])
def test_a_diagnosis_counts_once_it_is_recorded(
    catalog: Catalog, tmp_path: Path, everything: bool, known: bool
) -> None:
    later = condition(recordedDate="2026-10-11")
    (line,) = lines(catalog, tmp_path, later, calcium(9, effectiveDateTime=MORNING), everything=everything)
    assert bool(line["assessment"]["causes"]) is known


def test_dates_far_in_the_future_are_errors_unless_most_are_there(catalog: Catalog, tmp_path: Path) -> None:
    slip = calcium(10.5, id="slip", effectiveDateTime="2206-10-10T07:30:00+02:00")
    found = lines(catalog, tmp_path, slip, calcium(9), phosphate(3))
    assert [line["at"][:4] for line in found] == ["2026"]
    found = lines(catalog, tmp_path, slip)
    assert [line["at"][:4] for line in found] == ["2206"]


def test_the_zone_that_was_given_wins(catalog: Catalog, tmp_path: Path) -> None:
    (line,) = lines(catalog, tmp_path, calcium(9), zone="Asia/Tokyo")
    assert line["at"] == "2026-10-12T14:30:00+09:00"


@pytest.mark.parametrize(
    "text", ["latest", "each-result", "each-encounter", "each-day 07:05", "2026-10-10T09:00:00+02:00"]
)
def test_what_stands_behind_at_is_read_and_told_alike(text: str) -> None:
    assert parse_at(text, NOW.tzinfo).text == text


@pytest.mark.parametrize("text", ["", "each-day 25:00", "each-hour", "2026-13-01", "latest 09:00"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the words are those of the standard library
        parse_at(text, NOW.tzinfo)


def test_a_date_alone_means_nine_in_the_morning() -> None:
    assert parse_at("2026-10-10", NOW.tzinfo).date == datetime(2026, 10, 10, 9, tzinfo=timezone(timedelta(hours=2)))


# ---- repeats (CL-125), by the rule of the running service


def judged(tier: Tier, place: EncounterClass = EncounterClass.INPATIENT, headline: str = "CL-51") -> Assessment:
    return Assessment(evaluated_at=NOW, tier=tier, setting=Setting(place, Dialysis.NONE), headline=headline)


def shows(repeats: Repeats, assessment: Assessment, hours: float = 0) -> bool:
    return repeats.shows(guidance_of(assessment, NOW + timedelta(hours=hours)))


@pytest.mark.parametrize(
    ("tier", "place", "hours", "shown"),
    [
        (Tier.WARNING, EncounterClass.INPATIENT, 23.99, False),
        (Tier.WARNING, EncounterClass.INPATIENT, 24, True),
        (Tier.WARNING, EncounterClass.OUTPATIENT, 24 * 30 - 0.01, False),
        (Tier.WARNING, EncounterClass.OUTPATIENT, 24 * 30, True),
        (Tier.WARNING, EncounterClass.UNKNOWN, 24, True),
        (Tier.CRITICAL, EncounterClass.OUTPATIENT, 23.99, False),
        (Tier.CRITICAL, EncounterClass.OUTPATIENT, 24, True),
    ],
)
def test_the_same_guidance_is_shown_again_after_a_time(
    tier: Tier, place: EncounterClass, hours: float, shown: bool
) -> None:
    repeats = Repeats(WINDOWS)
    assert shows(repeats, judged(tier, place))
    assert shows(repeats, judged(tier, place), hours) is shown


def test_how_long_an_acknowledgement_counts_is_that_of_the_settings() -> None:
    repeats = Repeats(windows_of(read_settings({"CDS_SNOOZE_INPATIENT_H": "2"})))
    assert [shows(repeats, judged(Tier.WARNING), hours) for hours in (0, 1.99, 2)] == [True, False, True]
    always = Repeats(windows_of(read_settings({"CDS_SNOOZE_INPATIENT_H": "0"})))
    assert [shows(always, judged(Tier.WARNING), hours) for hours in (0, 0.1)] == [True, True]


def test_what_was_not_acknowledged_is_shown_at_once() -> None:
    repeats = Repeats(WINDOWS)
    assert not shows(repeats, judged(Tier.NONE))
    assert shows(repeats, judged(Tier.INFO))
    assert shows(repeats, judged(Tier.CRITICAL), 1)
    assert not shows(repeats, judged(Tier.WARNING), 2)
    assert shows(repeats, judged(Tier.WARNING, headline="CL-52"), 2)


def test_a_new_pair_is_shown_at_once(catalog: Catalog, tmp_path: Path) -> None:
    again = {"effectiveDateTime": "2026-10-12T08:30:00+02:00"}
    results = [calcium(10.5), phosphate(7.5), calcium(10.6, id="c2", **again), phosphate(7.5, id="p2", **again)]
    lines(catalog, tmp_path, *results, at="each-result")
    rows = (tmp_path / "out" / "cards.csv").read_text().splitlines()[1:]
    assert [row.split(",")[5] for row in rows] == ["yes", "yes"]
