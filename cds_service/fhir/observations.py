"""Observations as measurements: which of them count, for whom and from what sample.

Knows: CL-01 to CL-03, CL-07, CL-09, CL-43 (labels).
Must not know: times (times.py), values and units (results.py), codes (catalog). glance.py looks at the codes first; an
unmapped Observation is only counted.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cds_service.calcinosis.chart import Chart
from cds_service.calcinosis.facts import Finding, GapReason, Mark, Measurement, Taken
from cds_service.fhir import parts, shapes
from cds_service.fhir.draft import Draft
from cds_service.fhir.glance import FINAL, Glance
from cds_service.fhir.labels import PREGNANCY, Label
from cds_service.fhir.record import PatientRecord
from cds_service.fhir.references import Belongs, Subjects
from cds_service.fhir.remarks import marks_in
from cds_service.fhir.results import Result, Results, Sample
from cds_service.fhir.selection import Selection
from cds_service.fhir.specimens import NOT_SAID, Admits, Sampled, Specimens
from cds_service.fhir.times import Times
from cds_service.fhir.values import UnitProblem
from cds_service.fhir.vocabulary import Vocabulary

_PENDING: Final = frozenset({"preliminary", "registered"})
_SILENT: Final = frozenset({"cancelled", "entered-in-error", "unknown"})
_ABSENT: Final = shapes.ABSENT
_NO_MARKS: Final[frozenset[Mark]] = frozenset()
# members of an Enum are looked up slowly; these are looked up for every result
_ADMITTED: Final = Admits.YES
_URINE: Final = UnitProblem.URINE
# how a JSON value begins that is a text, or not there
_NO_NUMBER: Final = (b'"', b"")
_NO_WORDS: Final[tuple[str, ...]] = ()
# Inputs that an additive spoils; the names begin so in mappings/inputs.csv.
_CALCIUM_LIKE: Final = ("ca_", "magnesium")
_EDTA_SPOILS: Final = (*_CALCIUM_LIKE, "alp_", "potassium")
# A positive pregnancy status speaks of that pregnancy only; none lasts longer.
_PREGNANCY_LASTS: Final = timedelta(days=300)


class Observations:
    """Reads the Observations of a record into a draft: all of them, or as many as the judgement needs (selection.py).

    every: read all, for people who want to see them.
    """

    def __init__(
        self,
        record: PatientRecord,
        vocabulary: Vocabulary,
        now: datetime,
        subjects: Subjects,
        draft: Draft,
        *,
        every: bool,
    ) -> None:
        self._record = record
        self._vocabulary = vocabulary
        self._now = now
        self._subjects = subjects
        self._draft = draft
        self._labels = vocabulary.labels
        self._units = vocabulary.units
        self._specimens = Specimens(record, vocabulary.catalog)
        self._results = Results(vocabulary, draft)
        self._times = Times(record, now, subjects, draft)
        self._pregnancy: tuple[datetime, Finding | None] | None = None
        self._glance = Glance(self._labels, subjects, self._times, draft)
        # what was read, in this order: the place, and where its measurements and gaps begin in the draft
        self._starts: list[tuple[int, int, int]] = []
        self._selection: Selection | None = None
        self._every = every

    def read(self) -> None:
        """Read all of them, or those that are most likely enough."""
        glance = self._glance
        glance.look(self._record.observations, every=self._every)
        for place in glance.always:
            self._read(place)
        if not self._every:
            criteria = self._vocabulary.catalog.knowledge.criteria
            self._selection = Selection(glance.found, glance.instants, self._read, self._draft.measurements, criteria)
            self._selection.start(self._vocabulary.spoken_of)
        if self._pregnancy is not None and self._pregnancy[1] is not None:
            self._draft.findings.append(self._pregnancy[1])

    def complete(self, chart: Callable[[], Chart]) -> None:
        """Read what else is needed. chart: what has been read of all kinds of data."""
        # the selection reads through this object: a ring that only the garbage collector could free
        selection, self._selection = self._selection, None
        if selection is not None:
            selection.heed(self._draft.exposures)
            while selection.is_cut_off() and not selection.is_complete(chart()):
                selection.read_further()
            for place in self._odd(selection.left()):
                self._read(place)
            self._restore_order()
        for lost in self._record.unreadable:
            if lost.type == "Observation" and self._subjects.of(lost.subject) is not Belongs.OTHER:
                for name in self._labels.of(lost.code).inputs:
                    self._results.gap(name, GapReason.UNREADABLE, "result not readable, not used", None, lost.reference)
        self._drop_settled_pending()

    # ---- what is read

    def _read(self, place: int) -> list[Measurement]:
        measurements = self._draft.measurements
        start = len(measurements)
        self._starts.append((place, start, len(self._draft.gaps)))
        self._observation(self._glance.observations[place], self._glance.labels[place])
        return measurements[start:]

    def _odd(self, places: Iterable[int]) -> list[int]:
        """The results that leave more on the record than a measurement: a mark or a note, however old they are."""
        found, glance, unit_of = [], self._glance, self._units.of
        for place in places:
            observation, label = glance.observations[place], glance.labels[place]
            quantity = observation.valueQuantity
            if (
                quantity is None
                or bytes(quantity.value)[:1] in _NO_NUMBER
                or unit_of(label.inputs[0], quantity) is _URINE
                or label.contradiction is not None
                or (observation.specimen is not _ABSENT and self._specimens.of(observation).admits is not _ADMITTED)
            ):
                found.append(place)
        return found

    def _restore_order(self) -> None:
        """Bring measurements and gaps into the order of the record, whatever was read first."""
        measurements, gaps = self._draft.measurements, self._draft.gaps
        in_order = sorted(pairwise([*self._starts, (0, len(measurements), len(gaps))]))
        measurements[:] = [m for (_, start, _), (_, end, _) in in_order for m in measurements[start:end]]
        gaps[:] = [gap for (_, _, start), (_, _, end) in in_order for gap in gaps[start:end]]

    # ---- one Observation

    def _observation(self, observation: shapes.Observation, label: Label) -> None:
        status = observation.status
        if status not in FINAL:
            status = (status or "").strip()
            if status in _SILENT:
                return
        taken = self._times.taken(observation)
        reference = f"Observation/{observation.id or 'without-id'}"
        if isinstance(taken, str):
            self._gaps(observation, label, GapReason.UNREADABLE, taken, self._times.about(observation))
        elif status in FINAL:
            self._final(observation, label, reference, taken)
        elif status in _PENDING:
            self._gaps(observation, label, GapReason.PENDING, "result pending{}", taken)
        else:
            told = "result{}: status missing or not known, not used"
            self._gaps(observation, label, GapReason.UNREADABLE, told, taken)

    def _final(self, observation: shapes.Observation, label: Label, reference: str, taken: Taken) -> None:
        components = () if observation.component is _ABSENT else self._components(observation)
        if not label.inputs and not components:
            return
        sampled = NOT_SAID if observation.specimen is _ABSENT else self._specimens.of(observation)
        draws = self._times.draws(observation, reference, sampled.draw)
        words = self._words(observation)
        sample = Sample(reference, taken, draws, _NO_MARKS)
        for name in label.inputs:
            self._result(name, label, observation, sample, sampled, words)
        if components:
            sample.draws = draws | {reference}
            for inner, component in components:
                for name in inner.inputs:
                    self._result(name, inner, component, sample, sampled, words)

    def _result(
        self, name: str, label: Label, result: Result, sample: Sample, sampled: Sampled, words: Sequence[str]
    ) -> None:
        if label.contradiction is not None:
            self._reject(name, label.contradiction, sample)
        elif sampled.admits is not _ADMITTED and self._rejects(name, sampled.admits, sample):
            return
        elif name == PREGNANCY:
            self._pregnant(result, sample)
        else:
            sample.marks = label.marks | sampled.marks if label.marks or sampled.marks else _NO_MARKS
            for text in words:
                sample.marks |= marks_in(text, name)
            self._results.read(name, result, sample)

    def _components(self, observation: shapes.Observation) -> list[tuple[Label, shapes.Component]]:
        """The components that are mapped (CL-07)."""
        components = parts.components(observation.component)
        if components is None:
            self._draft.tallies["Observations with unreadable components"] += 1
        found = []
        for component in components or ():
            label = self._labels.of(component.code)
            if label.inputs:
                found.append((label, component))
            elif label.unmapped is not None:
                self._draft.first(label.unmapped, f"Observation/{observation.id}: {label.unmapped}")
        return found

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

    def _words(self, observation: shapes.Observation) -> Sequence[str]:
        """The free words of a result (CL-09)."""
        if not (observation.note or observation.method or observation.comment or observation.comments):
            return _NO_WORDS
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

    def _pregnant(self, result: Result, sample: Sample) -> None:
        """The newest pregnancy status counts; a positive one is a finding."""
        if self._pregnancy is not None and self._pregnancy[0] >= sample.taken.at:
            return
        answer = parts.concept(result.valueCodeableConcept)
        found = None
        for coding in (answer.coding or ()) if answer is not None else ():
            for row in self._vocabulary.findings(coding.system, coding.code or ""):
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

    # ---- gaps

    def _gaps(
        self, observation: shapes.Observation, label: Label, reason: GapReason, detail: str, taken: Taken | None
    ) -> None:
        reference = f"Observation/{observation.id or 'without-id'}"
        labels = [label, *(inner for inner, _ in self._components(observation))] if observation.component else [label]
        for each in labels:
            for name in each.inputs:
                self._results.gap(name, reason, detail, taken, reference)

    def _drop_settled_pending(self) -> None:
        """A pending result whose final one is there as well is no gap."""
        if not any(gap.reason is GapReason.PENDING for gap in self._draft.gaps):
            return
        settled = {(m.input, m.taken.at) for m in self._draft.measurements}
        self._draft.gaps[:] = [
            gap
            for gap in self._draft.gaps
            if gap.reason is not GapReason.PENDING or gap.taken is None or (gap.analyte, gap.taken.at) not in settled
        ]
