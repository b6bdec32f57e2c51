"""One patient judged at each of its moments, by the function that answers hook calls.

Knows: how a record becomes a call, and what of a run's choices reaches it.
Must not know: files, processes, reports.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cds_service.fhir import shapes
from cds_service.fhir.gather import MissingData
from cds_service.hooks.decide import Decision, decide
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import services
from cds_service.screen.moments import Moment, Moments
from cds_service.screen.record import Record
from cds_service.terminology.catalog import Catalog

HOOK = "patient-view"


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one moment: a decision, or what lacked for one (the hook answers 412 then)."""

    moment: Moment
    decision: Decision | None = None
    missing: MissingData | None = None


class Judge:
    """Judges patients. It holds no state of any patient."""

    def __init__(self, catalog: Catalog, moments: Moments) -> None:
        self._catalog = catalog
        self._moments = moments
        self._wanted = next(service for service in services(catalog) if service.hook == HOOK).wanted

    def patient(self, record: Record) -> Iterator[Judged]:
        """Judge at each moment, in the order of time."""
        for moment in self._moments.of(record):
            try:
                yield Judged(moment, decision=self._decide(record, moment))
            except MissingData as missing:
                yield Judged(moment, missing=missing)

    def _decide(self, record: Record, moment: Moment) -> Decision:
        request = HookRequest(
            hook=HOOK,
            hook_instance="",
            user_id="",
            patient_id=record.patient,
            encounter_id=moment.encounter.id if moment.encounter is not None else None,
            draft_orders=shapes.ABSENT,
            selections=None,
            prefetch=record.prefetch(moment.at, moment.encounter),
            fhir_server=None,
            fhir_authorization=None,
            explain=True,
            evaluation_time=moment.at,
        )
        return decide(
            request, wanted=self._wanted, catalog=self._catalog, fetch=None, now=moment.at, new_id=lambda: "screen"
        )
