"""Observations as measurements: which of them count, for whom, from what sample and when.

Knows: CL-01 to CL-03, CL-07, CL-09, CL-30 (draws), CL-33 (times), CL-43 (labels).
Must not know: values and units (results.py), codes (catalog). The code is looked at first; an unmapped Observation is
only counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from cds_service.calcinosis.facts import Finding, GapReason, Mark, Taken
from cds_service.fhir import parts, shapes
from cds_service.fhir.dates import has_zone, in_future, since_when, taken_at
from cds_service.fhir.draft import Draft
from cds_service.fhir.labels import Label, Labels
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects, local_reference
from cds_service.fhir.remarks import marks_in
from cds_service.fhir.results import Results, Sample
from cds_service.fhir.specimens import NOT_SAID, Admits, Sampled, Specimens
from cds_service.fhir.superseded import superseded
from cds_service.terminology.catalog import Catalog

_FINAL: Final = frozenset({"final", "amended", "corrected"})
_PENDING: Final = frozenset({"preliminary", "registered"})
_SILENT: Final = frozenset({"cancelled", "entered-in-error", "unknown"})
_NO_DRAW: Final[frozenset[str]] = frozenset()
_NO_MARKS: Final[frozenset[Mark]] = frozenset()
# Inputs that an additive spoils; the names begin so in mappings/inputs.csv.
_CALCIUM_LIKE: Final = ("ca_", "magnesium")
_EDTA_SPOILS: Final = (*_CALCIUM_LIKE, "alp_", "potassium")
# A positive pregnancy status speaks of that pregnancy only; none lasts longer.
_PREGNANCY_LASTS: Final = timedelta(days=300)
_PREGNANCY: Final = "pregnancy_status"


class Observations:
    """Reads the Observations of a record into a draft."""

    def __init__(
        self, record: PatientRecord, catalog: Catalog, now: datetime, subjects: Subjects, draft: Draft
    ) -> None:
        self._record = record
        self._catalog = catalog
        self._now = now
        self._zone = now.tzinfo
        self._subjects = subjects
        self._draft = draft
        self._labels = Labels(catalog)
        self._specimens = Specimens(record, catalog)
        self._results = Results(catalog, draft)
        self._reports, self._parents = self._groups()
        self._pregnancy: tuple[datetime, Finding | None] | None = None

    def read(self) -> None:
        """Read all of them."""
        ours: list[tuple[shapes.Observation, Label]] = []
        for observation in self._record.observations:
            label = self._labels.of(observation.code)
            if label.inputs or observation.component:
                if self._is_ours(observation):
                    ours.append((observation, label))
            else:
                self._unmapped(observation, label)
        replaced = superseded(ours)
        for observation, label in ours:
            if id(observation) not in replaced:
                self._observation(observation, label)
        for lost in self._record.unreadable:
            if lost.type == "Observation" and self._subjects.of(lost.subject) is not Belongs.OTHER:
                for name in self._labels.of(lost.code).inputs:
                    self._results.gap(
                        name, GapReason.UNREADABLE, "result not readable, not used", None, lost.reference, None
                    )
        self._drop_settled_pending()
        if self._pregnancy is not None and self._pregnancy[1] is not None:
            self._draft.findings.append(self._pregnancy[1])

    def _is_ours(self, observation: shapes.Observation) -> bool:
        whose = self._subjects.of(observation.subject)
        if whose is Belongs.OTHER:
            self._draft.marks.add(Mark.OTHER_SUBJECT)
        elif whose is Belongs.UNREADABLE:
            self._draft.tallies["Observations not used, subject not readable"] += 1
        elif whose is Belongs.UNSAID:
            self._draft.tallies["Observations used without a subject"] += 1
        return whose in (Belongs.OURS, Belongs.UNSAID)

    def _unmapped(self, observation: shapes.Observation, label: Label) -> None:
        if label.unmapped is not None:
            self._draft.first(label.unmapped, f"Observation/{observation.id}: {label.unmapped}")
        if label.text_only:
            self._draft.tallies["Observations without a code"] += 1

    # ---- one Observation

    def _observation(self, observation: shapes.Observation, label: Label) -> None:
        status = (observation.status or "").strip()
        if status in _SILENT:
            return
        pairs = self._readings(observation, label)
        if not pairs:
            return
        reference = f"Observation/{observation.id or 'without-id'}"
        taken = self._taken(observation)
        names = [name for inner, _ in pairs for name in inner.inputs]
        if isinstance(taken, str):
            self._gaps(names, GapReason.UNREADABLE, taken, self._about(observation), reference)
        elif status in _PENDING:
            self._gaps(names, GapReason.PENDING, "result pending{}", taken, reference)
        elif status not in _FINAL:
            self._gaps(names, GapReason.UNREADABLE, "result{}: status missing or not known, not used", taken, reference)
        else:
            self._final(observation, pairs, reference, taken)

    def _readings(
        self, observation: shapes.Observation, label: Label
    ) -> list[tuple[Label, shapes.Observation | shapes.Component]]:
        """The Observation and its components (CL-07) that are mapped."""
        pairs: list[tuple[Label, shapes.Observation | shapes.Component]] = (
            [(label, observation)] if label.inputs else []
        )
        if observation.component:
            components = parts.components(observation.component)
            if components is None:
                self._draft.tallies["Observations with unreadable components"] += 1
            for component in components or ():
                inner = self._labels.of(component.code)
                if inner.inputs:
                    pairs.append((inner, component))
                elif inner.unmapped is not None:
                    self._draft.first(inner.unmapped, f"Observation/{observation.id}: {inner.unmapped}")
        return pairs

    def _final(
        self,
        observation: shapes.Observation,
        pairs: Sequence[tuple[Label, shapes.Observation | shapes.Component]],
        reference: str,
        taken: Taken,
    ) -> None:
        sampled = self._specimens.of(observation) if observation.specimen else NOT_SAID
        words = self._words(observation)
        sample = Sample(reference, taken, self._draws(observation, reference, sampled), _NO_MARKS)
        panel = sample.draws | {reference} if observation.component else sample.draws
        for label, result in pairs:
            sample.draws = panel if result is not observation else sample.draws
            for name in label.inputs:
                if label.contradiction is not None:
                    self._reject(name, label.contradiction, sample)
                elif sampled.admits is not Admits.YES and self._rejects(name, sampled.admits, sample):
                    continue
                elif name == _PREGNANCY:
                    self._pregnant(result, sample)
                else:
                    sample.marks = label.marks | sampled.marks
                    for text in words:
                        sample.marks |= marks_in(text, name)
                    self._results.read(name, result, sample)

    def _reject(self, name: str, reason: str, sample: Sample) -> None:
        """A look-alike code beside a usable one (MIMIC: "Creatinine, Serum" of urine): the result is not used."""
        self._draft.marks.add(Mark.URINE_REJECTED if "urine" in reason else Mark.SPECIMEN_REJECTED)
        detail = f"result{{}}: coded as blood and as something else ({reason}), not used"
        self._results.gap(name, GapReason.REFUSED, detail, sample.taken, sample.reference, None)

    def _rejects(self, name: str, admits: Admits, sample: Sample) -> bool:
        if admits is Admits.NO_CALCIUM and not name.startswith(_CALCIUM_LIKE):
            return False
        if admits is Admits.NO_ELECTROLYTES and not name.startswith(_EDTA_SPOILS):
            return False
        if admits is Admits.URINE:
            if name.startswith("u_") or name == "hcg":
                return False
            self._draft.marks.add(Mark.URINE_REJECTED)
        elif admits is Admits.OTHER:
            self._draft.marks.add(Mark.SPECIMEN_REJECTED)
        spoilt = admits in (Admits.NO_CALCIUM, Admits.NO_ELECTROLYTES)
        mark = Mark.SAMPLE_QUALITY if spoilt else None
        self._results.gap(name, GapReason.REFUSED, f"result{{}}: {admits.value}", sample.taken, sample.reference, mark)
        return True

    def _words(self, observation: shapes.Observation) -> list[str]:
        """The free words of a result (CL-09)."""
        words: list[str | None] = []
        if observation.note:
            words += [note.text for note in parts.annotations(observation.note) or ()]
        if observation.comment or observation.comments:
            words += [observation.comment, observation.comments]
        if observation.method:
            method = parts.concept(observation.method)
            if method is not None:
                words += [method.text, *(coding.display for coding in method.coding or ())]
        return [text for text in words if text]

    def _pregnant(self, result: shapes.Observation | shapes.Component, sample: Sample) -> None:
        """The newest pregnancy status counts; a positive one is a finding."""
        if self._pregnancy is not None and self._pregnancy[0] >= sample.taken.at:
            return
        answer = parts.concept(result.valueCodeableConcept)
        found = None
        for coding in (answer.coding or ()) if answer is not None else ():
            for row in self._catalog.findings(coding.system or "", coding.code or ""):
                found = Finding(
                    concept=row.concept,
                    specificity=row.specificity,
                    name=row.display,
                    code=row.code,
                    reference=sample.reference,
                    active=self._now - sample.taken.at <= _PREGNANCY_LASTS,
                    history_counts=row.history_counts,
                    since=sample.taken,
                )
        self._pregnancy = (sample.taken.at, found)

    # ---- times and draws

    def _taken(self, observation: shapes.Observation) -> Taken | str:
        """The collection time, or why there is none (CL-33). A time that is there but unusable is not replaced."""
        text = observation.effectiveDateTime or self._other_effective(observation) or self._surrounding(observation)
        uncertain = False
        if text is None:
            # issued is the reporting time: the last resort
            text, uncertain = observation.issued, True
        if not text:
            return "result: no date, not used"
        taken = taken_at(text, self._zone, uncertain=uncertain)
        if taken is None:
            return f"result ({text[:30]}): date without a day, or not readable, not used"
        if in_future(taken, self._now):
            return f"result ({text[:30]}): dated in the future, not used"
        if not has_zone(text):
            self._draft.tallies["Observations with a time without zone, read in the zone of the call"] += 1
        return taken

    def _about(self, observation: shapes.Observation) -> Taken | None:
        """A rough time for a gap, to tell old gaps from new ones."""
        text = observation.effectiveDateTime or self._other_effective(observation) or observation.issued
        return since_when(text, self._zone) if text else None

    @staticmethod
    def _other_effective(observation: shapes.Observation) -> str | None:
        if observation.effectiveInstant:
            return observation.effectiveInstant
        if observation.effectivePeriod:
            period = parts.period(observation.effectivePeriod)
            return period.start if period is not None else None
        if observation.effectiveTiming:
            timing = parts.timing(observation.effectiveTiming)
            return timing.event[0] if timing is not None and timing.event else None
        return None

    def _surrounding(self, observation: shapes.Observation) -> str | None:
        """The effective time of the report or panel that lists the result; in panels it is often there alone."""
        reference = f"Observation/{observation.id}"
        for report in self._reports.get(reference, ()):
            text = report.effectiveDateTime or (report.effectivePeriod.start if report.effectivePeriod else None)
            if text:
                return text
        for parent in self._parents.get(reference, ()):
            text = parent.effectiveDateTime or self._other_effective(parent)
            if text:
                return text
        return None

    def _draws(self, observation: shapes.Observation, reference: str, sampled: Sampled) -> frozenset[str]:
        reports = self._reports.get(reference)
        parents = self._parents.get(reference)
        if sampled.draw is None and not reports and not parents and not observation.hasMember:
            return _NO_DRAW
        draws = {sampled.draw} if sampled.draw is not None else set()
        draws |= {f"DiagnosticReport/{report.id}" for report in reports or ()}
        draws |= {f"Observation/{parent.id}" for parent in parents or ()}
        return frozenset(draws | {reference} if observation.hasMember else draws)

    def _groups(
        self,
    ) -> tuple[dict[str, list[shapes.DiagnosticReport]], dict[str, list[shapes.Observation]]]:
        """Which reports and which panels list an Observation."""
        reports: dict[str, list[shapes.DiagnosticReport]] = defaultdict(list)
        parents: dict[str, list[shapes.Observation]] = defaultdict(list)
        for report in self._record.reports:
            if self._subjects.of(report.subject) in (Belongs.OURS, Belongs.UNSAID):
                for member in parts.references(report.result) or ():
                    reports[local_reference(member.reference or "")].append(report)
        for panel in self._record.observations:
            if panel.hasMember:
                for member in parts.references(panel.hasMember) or ():
                    parents[local_reference(member.reference or "")].append(panel)
        return dict(reports), dict(parents)

    # ---- gaps

    def _gaps(self, names: Iterable[str], reason: GapReason, detail: str, taken: Taken | None, reference: str) -> None:
        for name in names:
            self._results.gap(name, reason, detail, taken, reference, None)

    def _drop_settled_pending(self) -> None:
        """A pending result whose final one is there as well is no gap."""
        settled = {(m.input, m.taken.at) for m in self._draft.measurements}
        self._draft.gaps[:] = [
            gap
            for gap in self._draft.gaps
            if gap.reason is not GapReason.PENDING or gap.taken is None or (gap.analyte, gap.taken.at) not in settled
        ]
