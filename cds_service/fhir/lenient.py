"""The tolerant way for a resource that does not fit its shape: it costs only itself, and says why.

Knows: which fields of a resource may be missing without harm to its meaning, and one repair: a list for a lone object.
Must not know: what the fields mean otherwise. A resource whose other fields do not fit is not used.
"""

from typing import Any, Final, get_args

from msgspec import DecodeError, Raw, ValidationError, structs
from msgspec.json import Decoder, decode

from cds_service.fhir import parts, shapes
from cds_service.fhir.record import Unreadable

_HEAD: Final = Decoder(shapes.Head)
_FIELDS: Final = Decoder(dict[str, Raw])
_RESOURCE: Final[Decoder[shapes.AnyResource]] = Decoder(shapes.AnyResource)
_SHAPES: Final[dict[str, type[shapes.AnyResource]]] = {shape.__name__: shape for shape in get_args(shapes.AnyResource)}
# Fields whose loss changes no meaning: a second date, a route, a site. Never a status, value, unit, subject or code.
_HARMLESS: Final[dict[str, frozenset[str]]] = {
    "Observation": frozenset({"issued"}),
    "Condition": frozenset(
        {"onsetDateTime", "onsetPeriod", "recordedDate", "assertedDate", "dateRecorded", "bodySite"}
    ),
    "MedicationRequest": frozenset({"authoredOn", "dosageInstruction"}),
    "MedicationOrder": frozenset({"dateWritten", "dosageInstruction"}),
    "MedicationStatement": frozenset({"dosage"}),
    "MedicationAdministration": frozenset({"dosage"}),
    "Encounter": frozenset({"location", "period", "actualPeriod"}),
    "Patient": frozenset({"birthDate", "gender"}),
}


def read_resource(raw: Raw) -> tuple[shapes.AnyResource | Unreadable | None, str | None]:
    """Decode one resource; the second is a note when it was read leniently.

    None: a kind of resource that nobody reads here.
    """
    try:
        return _RESOURCE.decode(raw), None
    except parts.UNREADABLE as problem:
        reason = _reason(problem)
    try:
        head = _HEAD.decode(raw)
    except parts.UNREADABLE:
        return Unreadable("resource", "resource", "no resourceType can be read"), None
    if head.resourceType is None:
        return Unreadable("resource", "resource", "no resourceType"), None
    shape = _SHAPES.get(head.resourceType)
    if shape is None or issubclass(shape, shapes.Unused):
        return None, None
    return _field_by_field(raw, head, shape, reason)


def _field_by_field(
    raw: Raw, head: shapes.Head, shape: type[shapes.AnyResource], reason: str
) -> tuple[shapes.AnyResource | Unreadable, str | None]:
    kind = str(head.resourceType)
    reference = f"{kind}/{_plain_id(head.id)}"
    try:
        given = _FIELDS.decode(raw)
    except parts.UNREADABLE:
        return Unreadable(kind, reference, reason, head.code, head.subject), None
    values: dict[str, Any] = {}
    lost: list[str] = []
    for each in structs.fields(shape):
        if each.encode_name in given:
            try:
                values[each.name] = _fitted(given[each.encode_name], each.type, each.name)
            except parts.UNREADABLE:
                lost.append(each.encode_name)
    if not _HARMLESS.get(kind, frozenset()).issuperset(lost):
        return Unreadable(kind, reference, reason, head.code, head.subject), None
    return shape(**values), f"{reference}: read leniently: {reason}"


def _fitted(raw: Raw, kind: Any, name: str) -> object:
    """The value of one field; a lone object becomes a list of one, a number an id."""
    if kind is Raw:
        return raw
    try:
        return decode(raw, type=kind)
    except DecodeError:
        data = bytes(raw)
        if name == "id" and data.isdigit():
            return data.decode()
        return decode(b"[" + data + b"]", type=kind)


def _plain_id(raw: Raw) -> str:
    text = bytes(raw).decode(errors="replace").strip('"')
    return text if text and len(text) <= 128 and text != "null" else "without-id"


def _reason(problem: Exception) -> str:
    """What did not fit, and where; msgspec names types and paths, never values (an enumerated value aside)."""
    if isinstance(problem, ValidationError):
        return (
            str(problem).replace("`", "").replace(" - at", " at")
            if "Invalid value" not in str(problem)
            else "unknown kind"
        )
    return "not readable as JSON" if isinstance(problem, DecodeError) else "nested too deeply"
