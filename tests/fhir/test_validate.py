"""Validation of the evidence, on the side."""

import subprocess
import sys

import msgspec

from cds_service.fhir.gather import gather
from cds_service.fhir.validate import evidence_notes, warm_up
from tests.builders import condition, observation, patient, prefetch


def raws(*resources: object) -> dict[str, msgspec.Raw]:
    return gather(prefetch(*resources), "x1", keep_raw=True).raw  # type: ignore[arg-type]


def test_valid_evidence_gives_no_note() -> None:
    kept = raws(observation("calcium", "9 mg/dL"), condition())
    assert evidence_notes(kept, ["Observation/calcium-1", "Condition/c1", "Patient/x1"]) == ()


def test_invalid_evidence_is_told_with_its_place_and_without_its_value() -> None:
    kept = raws(observation("calcium", "9 mg/dL", at="2026-10-12T07:30:00", made_up="secret"))
    (note,) = evidence_notes(kept, ["Observation/calcium-1", "Observation/calcium-1"])
    assert note.startswith("Observation/calcium-1: read leniently: ")
    assert "effectiveDateTime" in note
    assert "made_up" in note
    assert "secret" not in note
    assert "2026" not in note


def test_what_is_no_evidence_is_not_looked_at() -> None:
    kept = raws(observation("calcium", "9 mg/dL", made_up=1), patient())
    assert evidence_notes(kept, ["Patient/x1", "Observation/gone"]) == ()


def test_the_models_are_imported_only_when_wanted() -> None:
    script = "import cds_service.fhir.validate, sys; print('fhir.resources.R4B.observation' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603
    assert ran.stdout.strip() == "False"
    warm_up()
    assert "fhir.resources.R4B.observation" in sys.modules
