"""The code rows of the content, told alike whatever file they stand in: code, target, equivalence, remarks.

Knows: how specificity, status and use read as FHIR R4 equivalences.
Must not know: FHIR resources.

R4 reads an equivalence from the target to the source ("the target is wider than the source"). The source is a code,
the target is what we call it: a code that is narrower than our concept has a wider target.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cds_service.terminology import codes, layout
from cds_service.terminology.content import Content
from cds_service.terminology.table import Layout, Row

EQUIVALENT, WIDER, NARROWER = "equivalent", "wider", "narrower"
INEXACT, RELATED, DISJOINT = "inexact", "relatedto", "disjoint"

# What the specificity of a code row says of its target.
EQUIVALENCE: Final[Mapping[str, str]] = {
    "exact": EQUIVALENT,
    "narrower": WIDER,
    "broader": NARROWER,
    "residual": INEXACT,
    "related": RELATED,
}
_REMARKS: Final[Mapping[str, str]] = {
    "broader": "the code holds other things too: it states the target only together with another code",
    "residual": "a residual class (other specified): it overlaps with the target and states it never alone",
    "related": "related to the target; does not state it",
}
_OBSERVATION_REMARKS: Final[Mapping[str, str]] = {
    "accept_if_unit": "the code leaves mass or molar open: only with a known unit",
    "accept_legacy": "retired, or specific for race or sex; still met",
    "context": "shown or used aside, never read as the input",
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """One code and what it stands for. alone: the code by itself is taken as its target."""

    system: str
    code: str
    display: str
    target: str
    equivalence: str
    alone: bool
    remark: str


def finding_rows(content: Content) -> Iterator[Mapped]:
    """Yield the codes of causes and concepts, those that a terminology server found below them included."""
    tables = [*layout.FINDINGS.items(), (codes.SNOMED, layout.EXPANDED)]
    for system, row in _rows(content, tables):
        remarks = [_REMARKS.get(row["specificity"], ""), _below(system, row)]
        if row["history"] == "any":
            remarks.append("resolved or inactive records count too")
        alone = row["specificity"] in ("exact", "narrower")
        yield _mapped(system, row, row["concept"], EQUIVALENCE[row["specificity"]], alone, remarks)


def observation_rows(content: Content) -> Iterator[Mapped]:
    """Yield the LOINC codes of the inputs. An input leaves method and unit open, so it is wider than its codes."""
    for row in content.of(layout.OBSERVATIONS):
        alone = row["status"] != "context"
        remarks = [_OBSERVATION_REMARKS.get(row["status"], "")]
        yield _mapped(codes.LOINC, row, row["input"], WIDER if alone else RELATED, alone, remarks)


def rejected_rows(content: Content) -> Iterator[Mapped]:
    """Yield the LOINC codes that look like an input and must never be read as one."""
    for row in content.of(layout.REJECTED_OBSERVATIONS):
        remarks = [f"must not be read as the target: {row['reason']}"]
        yield _mapped(codes.LOINC, row, row["looks_like"], DISJOINT, False, remarks)


def medicine_rows(content: Content) -> Iterator[Mapped]:
    """Yield the codes of the medicines. A substance is the medicine; a product, a form, a class member is one of it."""
    for system, row in _rows(content, layout.MEDICATIONS.items()):
        substance = row["note"] == "ingredient" or system == codes.SNOMED
        topical = row.cells.get("route") == "other"
        remarks = [_below(system, row), "no systemic effect: not counted" if topical else ""]
        yield _mapped(system, row, row["drug"], EQUIVALENT if substance else WIDER, not topical, remarks)


def procedure_rows(content: Content) -> Iterator[Mapped]:
    """Yield the codes of procedures; look-alikes (exclude) are left out."""
    for system, row in _rows(content, layout.PROCEDURES.items()):
        if row["use"] != "exclude":
            aside = "counts only beside other findings" if row["use"] == "context" else ""
            yield _mapped(system, row, row["kind"], WIDER, True, [aside])


def _rows(content: Content, tables: Iterable[tuple[str, Layout]]) -> Iterator[tuple[str, Row]]:
    return ((system, row) for system, table in tables for row in content.of(table))


def _below(system: str, row: Row) -> str:
    if row.cells.get("include") != "descendants":
        return ""
    if system == codes.SNOMED:
        return "descendants belong to it (expand with a terminology server)"
    return (
        "longer codes that begin with this one count too" if system != codes.ATC else "members of the class count too"
    )


def _mapped(system: str, row: Row, target: str, equivalence: str, alone: bool, remarks: Iterable[str]) -> Mapped:
    remark = "; ".join(each for each in remarks if each)
    return Mapped(system, row["code"], row["display"], target, equivalence, alone, remark)
