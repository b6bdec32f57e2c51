"""From what came with the call, and what can still be read, to a PatientRecord.

Knows: which answers are wanted, how answers make the state of each kind, when data lack (policy: record.py). Resources
tell by themselves what they are, for a site may name its keys otherwise; key names only help where nothing is inside.
Must not know: HTTP (client.py), codes, clinical meaning.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import quote

from msgspec import Raw

from cds_service.fhir import shapes
from cds_service.fhir.intake import Answer, Intake
from cds_service.fhir.medicine import lost_medications
from cds_service.fhir.record import (
    EVERYTHING,
    POLICY,
    Kind,
    MissingData,
    Need,
    PatientRecord,
    State,
    Wanted,
)

__all__ = ["Fetch", "Fetched", "MissingData", "PatientRecord", "Query", "Wanted", "filled", "gather", "query_for"]

# Only for keys that the service did not name itself and that hold nothing.
_WORDS: Final = (
    ("condition", Kind.CONDITIONS),
    ("problem", Kind.CONDITIONS),
    ("diagnos", Kind.CONDITIONS),
    ("procedure", Kind.PROCEDURES),
    ("encounter", Kind.ENCOUNTER),
    ("medic", Kind.MEDICATIONS),
    ("statement", Kind.MEDICATIONS),
    ("drug", Kind.MEDICATIONS),
    ("observation", Kind.OBSERVATIONS),
    ("lab", Kind.OBSERVATIONS),
    ("result", Kind.OBSERVATIONS),
    ("patient", Kind.PATIENT),
)
# members of an Enum are looked up slowly
_ENCOUNTER: Final = Kind.ENCOUNTER
_FAILED: Final = State.FAILED
_NOT_ASKED: Final = State.NOT_ASKED
_KINDS: Final = tuple(Kind)
_BY_WEIGHT: Final = (State.DATA, State.FAILED, State.NO_DATA)
# with ids behind it: what orders refer to and did not come beside them
MEDICATIONS: Final = "Medication?_id="
_IN_ONE_SEARCH: Final = 50  # ids, so that the address stays short
_NOT_SENT: Final = "not sent with the call"
_MORE: Final = "only the first page came"


@dataclass(frozen=True, slots=True)
class Query:
    """One read asked of a Fetch. text: a filled-in FHIR query, or with `follow` the next page that the server named.

    wishes: parameters to be added, without which the query would do too.
    """

    key: str
    text: str
    follow: bool = False
    wishes: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer to one Query: the pages that came. failure: why not all came; None when complete."""

    query: Query
    pages: Sequence[bytes]
    failure: str | None = None


class Fetch(Protocol):
    """Reads what is missing from the EHR's FHIR server; client.py does it over HTTP."""

    def read(self, queries: Sequence[Query]) -> Sequence[Fetched]:
        """Answer every query, in any order; what the server does wrong becomes a failure, never an exception."""


def gather(
    request_prefetch: Mapping[str, Raw] | Mapping[str, shapes.Brought],
    patient_id: str,
    encounter_id: str | None = None,
    fetch: Fetch | None = None,
    wanted: Sequence[Wanted] = EVERYTHING,
    *,
    keep_raw: bool = False,
) -> PatientRecord:
    """Collect the patient's resources: from prefetch, then what lacks by `fetch`.

    wanted: the queries of the service, to tell an absent key from an empty answer and to know what to fetch.
    request_prefetch: the JSON of each key, or what was decoded of it.
    keep_raw: keep the JSON of every resource (slower; for validation of the evidence); only what comes as JSON can be.
    Raises: MissingData by the policy of record.py.
    """
    record = PatientRecord(patient_id.removeprefix("Patient/"), encounter_id)
    intake = Intake(record, keep_raw=keep_raw)
    hints = {each.key: each.kind for each in wanted}
    answers = []
    for key, given in request_prefetch.items():
        answer = Answer(key, hints.get(key) or _guess(key))
        intake.take(answer, given)
        answers.append(answer)
        if answer.kinds or not answer.failure:
            record.prefetch_used.append(key)
    if fetch is not None:
        _complete(record, intake, answers, fetch, wanted)
    _settle(record, answers, wanted)
    return record


def _guess(key: str) -> Kind | None:
    low = key.lower()
    return next((kind for word, kind in _WORDS if word in low), None)


# ---- reading what lacks


def _complete(
    record: PatientRecord, intake: Intake, answers: list[Answer], fetch: Fetch, wanted: Sequence[Wanted]
) -> None:
    """Read next pages of what came, and anew what failed or never came; an honest "no data" is not asked again."""
    queries = [Query(each.key, each.next_page, follow=True) for each in answers if each.next_page]
    queries += [
        query_for(each, record.patient_id, record.encounter_id)
        for each in _lacking(record, answers, wanted)
        if each.query
    ]
    if queries:
        _read(record, intake, answers, fetch, wanted, queries)
    _read_medications(record, intake, fetch)


def _read(
    record: PatientRecord,
    intake: Intake,
    answers: list[Answer],
    fetch: Fetch,
    wanted: Sequence[Wanted],
    queries: Sequence[Query],
) -> None:
    by_key = {each.key: each for each in answers}
    by_name = {each.key: each for each in wanted}
    for fetched in fetch.read(queries):
        key = fetched.query.key
        answer = by_key.get(key)
        if answer is None:
            answer = Answer(key, by_name[key].kind)
            answers.append(answer)
        answer.failure, answer.next_page = None, None
        for page in fetched.pages:
            intake.take(answer, page)
            answer.next_page = None
        if fetched.failure is not None:
            answer.failure = fetched.failure
        if fetched.pages:
            record.fetched.append(_told(fetched.query, by_name))


def _read_medications(record: PatientRecord, intake: Intake, fetch: Fetch) -> None:
    """Read the Medications that orders refer to and that did not come beside them."""
    lost = lost_medications(record)
    if not lost:
        return
    answer = Answer("medications referred to")
    searches = [lost[start : start + _IN_ONE_SEARCH] for start in range(0, len(lost), _IN_ONE_SEARCH)]
    queries = [Query(answer.key, MEDICATIONS + ",".join(ids), wishes=f"_count={_IN_ONE_SEARCH}") for ids in searches]
    for fetched in fetch.read(queries):
        for page in fetched.pages:
            intake.take(answer, page)
        answer.failure = fetched.failure or answer.failure
    if answer.failure:
        record.failed.append(f"{answer.key}: {answer.failure}")
        record.unread.add(Kind.MEDICATIONS)
    else:
        record.fetched.append(answer.key)


def query_for(wanted: Wanted, patient_id: str, encounter_id: str | None) -> Query:
    """Return the query that reads what is wanted of this patient."""
    return Query(wanted.key, filled(wanted.query, patient_id, encounter_id), wishes=wanted.wishes)


def filled(query: str, patient_id: str, encounter_id: str | None) -> str:
    """Return a query with the ids in the place of its tokens, as an EHR fills a prefetch template."""
    with_patient = query.replace("{{context.patientId}}", quote(patient_id, safe=""))
    return with_patient.replace("{{context.encounterId}}", quote(encounter_id or "", safe=""))


def _told(query: Query, wanted: Mapping[str, Wanted]) -> str:
    """The query for dataSources: the template, without ids."""
    return f"{query.key} (further pages)" if query.follow else wanted[query.key].query


# ---- what lacks


def _lacking(record: PatientRecord, answers: Sequence[Answer], wanted: Sequence[Wanted]) -> Iterator[Wanted]:
    """The wanted queries that have no answer in hand.

    A key of the site's own choosing may answer too; but no query of ours stands for another one of ours, not even of
    the same kind: a group of Observations for the other groups, MedicationStatements for MedicationRequests.
    """
    own_keys = {each.key for each in wanted}
    by_the_site = {
        kind
        for answer in answers
        if answer.key not in own_keys and answer.state is not _FAILED
        for kind in answer.told()
    }
    empty_handed = {answer.key: bool(answer.failure and not answer.kinds) for answer in answers}
    for each in wanted:
        if each.kind is _ENCOUNTER and not record.encounter_id:
            continue
        lacks = empty_handed.get(each.key)
        if lacks or (lacks is None and each.kind not in by_the_site):
            yield each


# ---- the states


def _settle(record: PatientRecord, answers: Sequence[Answer], wanted: Sequence[Wanted]) -> None:
    missing = []
    for kind in _KINDS:
        about = [answer for answer in answers if answer.about(kind)]
        record.states[kind] = state = _state(record, kind, about)
        if state is _FAILED or state is _NOT_ASKED:
            if POLICY[kind] is Need.REQUIRED:
                missing += _missing(kind, about, wanted)
            else:
                record.unread.add(kind)
        elif any(answer.failure or answer.next_page for answer in about):
            record.unread.add(kind)
    missing += _lost_queries(record, answers, wanted)
    for answer in answers:
        reason = answer.failure or (_MORE if answer.next_page else None)
        if reason:
            record.failed.append(f"{answer.key}: {reason}")
    if missing:
        raise MissingData(dict(missing).items())


def _state(record: PatientRecord, kind: Kind, about: Sequence[Answer]) -> State:
    if kind is _ENCOUNTER and not record.encounter_id:
        return State.NO_DATA if not about else State.DATA if record.encounters else State.NO_DATA
    states = {answer.state for answer in about}
    return next((state for state in _BY_WEIGHT if state in states), _NOT_ASKED)


def _missing(kind: Kind, about: Sequence[Answer], wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
    if about:
        return [(answer.key, answer.failure or _NOT_SENT) for answer in about]
    keys = [each.key for each in wanted if each.kind is kind and each.required] or [kind.value]
    return [(key, _NOT_SENT) for key in keys]


def _lost_queries(
    record: PatientRecord, answers: Sequence[Answer], wanted: Sequence[Wanted]
) -> Iterator[tuple[str, str]]:
    """Groups of Observations without an answer: the required ones; the inputs of the others become unread.

    Of other kinds the first query counts: who is not asked for statements, but for orders of medicines, was asked.
    """
    first = {each.kind: each for each in reversed(wanted)}
    for each in _lacking(record, answers, wanted):
        if each.inputs:
            failure = next((answer.failure for answer in answers if answer.key == each.key), None)
            if each.required:
                yield each.key, failure or _NOT_SENT
            else:
                record.unread |= each.inputs
        elif first[each.kind] is each and POLICY[each.kind] is not Need.REQUIRED:
            record.unread.add(each.kind)
