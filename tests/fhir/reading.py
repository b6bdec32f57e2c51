"""Reading resources into facts in one step, as most tests of the readers need it."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from cds_service.calcinosis.facts import Gap, Measurement, PatientFacts
from cds_service.fhir.gather import gather
from cds_service.fhir.read import read_facts
from cds_service.terminology.catalog import Catalog
from tests import builders

# a zone that is not UTC, so that a mixed-up zone shows
NOW = datetime(2026, 10, 12, 10, 30, tzinfo=timezone(timedelta(hours=2)))


def facts(
    catalog: Catalog, *resources: Mapping[str, Any], encounter_id: str | None = None, **keys: Any
) -> PatientFacts:
    """The facts of a complete prefetch with these resources."""
    record = gather(builders.prefetch(*resources, **keys), builders.PATIENT, encounter_id)
    return read_facts(record, catalog, NOW)


def only_measurement(catalog: Catalog, *resources: Mapping[str, Any]) -> Measurement:
    """The one measurement; there must be no gap beside it."""
    read = facts(catalog, *resources)
    assert read.gaps == ()
    (found,) = read.measurements
    return found


def only_gap(catalog: Catalog, *resources: Mapping[str, Any]) -> Gap:
    """The one gap; there must be no measurement beside it."""
    read = facts(catalog, *resources)
    assert read.measurements == ()
    (found,) = read.gaps
    return found
