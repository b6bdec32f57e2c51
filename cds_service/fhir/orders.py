"""Draft orders of a hook call as orders of the rules.

Knows: what EHRs put under draftOrders: a Bundle with or without its type, a lone order, Medications among the orders,
drafts without code, intent or id; which drafts are selected (CH-33, CH-34).
Must not know: what the rules say of an order. A draft that cannot be read costs only itself and is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import Raw
from msgspec.json import Decoder

from cds_service.calcinosis.facts import Route
from cds_service.calcinosis.names import Group
from cds_service.calcinosis.orders import NotJudged, Order, OrderedDrug, Unjudged
from cds_service.fhir import parts, shapes
from cds_service.fhir.doses import vitamin_d_per_day
from cds_service.fhir.lenient import read_resource
from cds_service.fhir.medicine import Medicine, drugs_of, medicine_of, route_of, route_of_form
from cds_service.fhir.record import PatientRecord, Unreadable
from cds_service.fhir.references import Belongs, Subjects, local_reference
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.codes import canonical_system

# Nothing is to be given by an order of these statuses.
_OVER: Final = frozenset({"cancelled", "entered-in-error", "stopped", "completed", "ended"})
_LIST: Final = Decoder(list[Raw])
_RAW_BUNDLE: Final = Decoder(shapes.RawBundle)
_RAW_ENTRY: Final = Decoder(shapes.RawEntry)
_HEAD: Final = Decoder(shapes.Head)
_ORDER: Final = "MedicationRequest"
_MOST_DRAFTS: Final = 500


@dataclass(frozen=True, slots=True)
class Drafts:
    """What came of the drafts. background: names of orders that are not the subject of the call."""

    orders: tuple[Order, ...] = ()
    not_judged: tuple[NotJudged, ...] = ()
    background: tuple[str, ...] = ()


@dataclass(slots=True)
class _Pile:
    """The drafts, sorted. requests: with the addresses of each and its JSON."""

    requests: list[tuple[shapes.MedicationRequest, frozenset[str], Raw]] = field(default_factory=list)
    medications: dict[str, shapes.Medication] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    not_judged: list[tuple[NotJudged, frozenset[str]]] = field(default_factory=list)


def read_orders(drafts: Raw, selections: Sequence[str] | None, record: PatientRecord, catalog: Catalog) -> Drafts:
    """Read the drafts of a call.

    selections: references of the drafts that are the subject; None: all are. When none of them can be found among the
    drafts, all are the subject, for silence could hide the order that was meant.
    """
    pile = _sorted(drafts)
    held = {**record.medications, **pile.medications}
    subjects = Subjects(record.patient_id, record.addresses)
    wanted = None if selections is None else {_plain(each) for each in selections}
    known = set().union(*(names for _, names, _ in pile.requests), pile.others, *(n for _, n in pile.not_judged))
    missing = sorted((wanted or set()) - known)
    if wanted is not None and not wanted & known:
        wanted = None
    orders, background = list[Order](), list[str]()
    not_judged = [each for each, names in pile.not_judged if wanted is None or names & wanted or not names]
    for request, names, raw in pile.requests:
        medicine = medicine_of(request, held)
        if wanted is not None and not names & wanted:
            background += [medicine.text] if medicine.text else []
            continue
        judged = _order(request, medicine, raw, subjects, catalog)
        if isinstance(judged, NotJudged):
            not_judged.append(judged)
        elif judged is not None:
            orders.append(judged)
    not_judged += [NotJudged(name, Unjudged.NOT_AMONG_DRAFTS) for name in missing]
    return Drafts(tuple(orders), tuple(not_judged), tuple(background))


def _plain(selection: str) -> str:
    """A selection as it is compared; some clients send the id alone."""
    return local_reference(selection)


# ---- what is there


def _sorted(drafts: Raw) -> _Pile:
    pile = _Pile()
    for place, (raw, url) in enumerate(_resources(drafts), 1):
        if place > _MOST_DRAFTS:
            pile.not_judged.append((NotJudged("draftOrders", Unjudged.UNREADABLE), frozenset()))
            break
        _file(pile, raw, url, place)
    return pile


def _file(pile: _Pile, raw: Raw, url: str, place: int) -> None:
    resource, _note = read_resource(raw)
    if isinstance(resource, shapes.MedicationRequest):
        pile.requests.append((resource, _names(_ORDER, resource.id, url), raw))
    elif isinstance(resource, shapes.Medication):
        for name in _names("Medication", resource.id, url):
            pile.medications[name] = resource
    elif isinstance(resource, Unreadable):
        named = resource.reference if "/" in resource.reference else f"draftOrders entry {place}"
        names = frozenset({named, named.rpartition("/")[2]})
        pile.not_judged.append((NotJudged(named, Unjudged.UNREADABLE), names))
    else:
        head = parts.Part(shapes.Head)(raw)
        if head is not None and head.resourceType:
            found = bytes(head.id).decode(errors="replace").strip('"')
            pile.others |= _names(head.resourceType, found or None, url)


def _names(kind: str, resource_id: str | None, url: str) -> frozenset[str]:
    """All by which a draft may be referred to."""
    own = {f"{kind}/{resource_id}", resource_id} if resource_id else set()
    return frozenset({*own, *({local_reference(url), url} if url else ())})


def _resources(drafts: Raw) -> Iterator[tuple[Raw, str]]:
    """The resources and their addresses: of a Bundle, of a list, or a lone one; what is no object is passed on."""
    start = bytes(drafts)[:1]
    try:
        if start == b"[":
            for each in _LIST.decode(drafts):
                yield from _resources(each)
            return
        kind = _HEAD.decode(drafts).resourceType
        if kind not in (None, "Bundle"):
            yield drafts, ""
            return
        entries = _RAW_BUNDLE.decode(drafts).entry or ()
    except parts.UNREADABLE:
        yield drafts, ""
        return
    for entry in entries:
        try:
            read = _RAW_ENTRY.decode(entry)
        except parts.UNREADABLE:
            yield entry, ""
            continue
        yield read.resource if read.resource else entry, parts.text(read.fullUrl) or ""


# ---- one order


def _order(
    request: shapes.MedicationRequest, medicine: Medicine, raw: Raw, subjects: Subjects, catalog: Catalog
) -> Order | NotJudged | None:
    """The order, why it cannot be judged, or None when it is of no medicine that a rule speaks of."""
    reference = f"{_ORDER}/{request.id or 'without-id'}"
    if subjects.of(request.subject) in (Belongs.OTHER, Belongs.UNREADABLE):
        return NotJudged(reference, Unjudged.OTHER_PATIENT, medicine.text)
    if (request.status or "").strip() in _OVER or request.doNotPerform is True:
        return NotJudged(reference, Unjudged.NOT_TO_BE_GIVEN, medicine.text)
    if not medicine.codings:
        return NotJudged(reference, Unjudged.NOT_CODED, medicine.text)
    rows = drugs_of(medicine.codings, catalog.drugs_for)
    if not rows:
        unknown = not _is_covered(medicine, catalog) or _sounds_like_ours(medicine.text, catalog)
        return NotJudged(reference, Unjudged.CODE_UNKNOWN, medicine.text) if unknown else None
    dosed = route_of(request.dosageInstruction, catalog)
    drugs = tuple(_drug(drug_id, route_of_form(row, dosed), catalog) for drug_id, row in rows.items())
    nutritional = [drug for drug in drugs if drug.group == Group.NUTRITIONAL_VITAMIN_D]
    return Order(
        reference=reference,
        name=medicine.text or drugs[0].name,
        drugs=drugs,
        has_id=bool(request.id),
        vitamin_d_iu_per_day=vitamin_d_per_day(raw, catalog.dose_units) if nutritional else None,
    )


def _drug(drug_id: str, route: Route, catalog: Catalog) -> OrderedDrug:
    known = catalog.drugs[drug_id]
    return OrderedDrug(known.id, known.group, known.name, route)


def _is_covered(medicine: Medicine, catalog: Catalog) -> bool:
    """Whether one of the codes is of a system in which the tables list the medicines of the rules."""
    return any(canonical_system(coding.system or "") in catalog.drug_codes for coding in medicine.codings)


def _sounds_like_ours(text: str, catalog: Catalog) -> bool:
    """Whether the name holds that of a medicine of the rules, so that its code lacks in the tables; admits nothing."""
    low = text.lower()
    return any(drug.group in _OURS and drug.name.split(" (")[0] in low for drug in catalog.drugs.values())


_OURS: Final = frozenset(
    {
        *(Group.IV_CALCIUM, Group.ORAL_CALCIUM, Group.ACTIVE_VITAMIN_D, Group.NUTRITIONAL_VITAMIN_D),
        *(Group.PHOSPHATE_SALT, Group.VKA, Group.THIAZIDE),
    }
)
