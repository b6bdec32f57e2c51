"""From a folder of reviewed content to the Catalog; bad content is refused with all its problems at once.

Knows: where the content lies, and how rows become lookups.
Must not know: environment variables, patients. Longer than 300 lines because every table becomes its lookup here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from cds_service.calcinosis.assessment import CalcinosisType
from cds_service.calcinosis.facts import EncounterClass, Route, Specificity
from cds_service.calcinosis.knowledge import Cause, Criteria, DefaultRange, Knowledge
from cds_service.terminology import codes, layout
from cds_service.terminology.catalog import (
    Catalog,
    Drug,
    DrugCode,
    FindingCode,
    Input,
    ObservationCode,
    ProcedureCode,
    RejectedCode,
    UnitRule,
)
from cds_service.terminology.coherence import check_coherence, check_site
from cds_service.terminology.content import Content, add_site, read_content
from cds_service.terminology.table import Layout, Problems, Row
from cds_service.terminology.units import parse_factor

T = TypeVar("T")
BySystem = dict[str, dict[str, T]]


class ContentError(Exception):
    """The content cannot be used. problems: each as file:line: column: text."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def shipped_mappings() -> Path:
    """Return the folder of the shipped content: inside the installed package, else at the root of the source tree."""
    package = Path(__file__).parents[1]
    installed = package / "content" / "mappings"
    return installed if installed.is_dir() else package.parent / "mappings"


def check(directory: Path, local: Path | None = None) -> tuple[str, ...]:
    """Return all that is wrong with a folder of content and, when given, with the folder of a site."""
    return _read(directory, local)[1]


def read_shipped(directory: Path | None = None) -> Content:
    """Return the rows themselves, for those who print, export or expand them.

    Raises: ContentError with every problem.
    """
    return read_whole(directory)


def read_whole(directory: Path | None = None, local: Path | None = None) -> Content:
    """Return the rows that load_catalog makes its catalog of, those of a site among them.

    Raises: ContentError with every problem.
    """
    content, problems = _read(directory or shipped_mappings(), local)
    if problems:
        raise ContentError(problems)
    return content


def load_catalog(directory: Path | None = None, local: Path | None = None) -> Catalog:
    """Return the catalog of the shipped content, with the additions of a site.

    Raises: ContentError with every problem.
    """
    return _catalog(read_whole(directory, local))


def _read(directory: Path, local: Path | None) -> tuple[Content, tuple[str, ...]]:
    problems = Problems()
    content = read_content(directory, problems)
    check_coherence(content, problems)
    if local is not None:
        shipped = {file: len(rows) for file, rows in content.rows.items()}
        add_site(local, content, problems)
        check_site(content, shipped, problems)
    return content, tuple(problems.found)


def _catalog(content: Content) -> Catalog:
    finding_codes, finding_prefixes = _findings(content)
    drug_codes, drug_prefixes = _drugs(content)
    encounters = content.of(layout.ENCOUNTERS)
    return Catalog(
        version=content.version,
        digest=content.digest(),
        knowledge=_knowledge(content),
        bounds=content.bounds,
        inputs={row["input"]: _input(row) for row in content.of(layout.INPUTS)},
        drugs={row["drug"]: _drug(row) for row in content.of(layout.DRUGS)},
        concepts={row["id"]: row["name"] for row in content.of(layout.CONCEPTS)},
        sources=content.sources,
        input_groups=_groups(content),
        observations=_observations(content),
        rejected=_rejected(content),
        loinc_by_input=_loinc_by_input(content),
        panels=_panels(content),
        units=_units(content),
        specimens=_single(content, layout.SPECIMENS, _specimen),
        finding_codes=finding_codes,
        finding_prefixes=finding_prefixes,
        rejected_findings=_rejected_findings(content),
        drug_codes=drug_codes,
        drug_prefixes=drug_prefixes,
        procedure_codes=_single(content, layout.PROCEDURES, _procedure),
        routes={codes.SNOMED: {row["code"]: Route(row["route"]) for row in content.of(layout.ROUTES)}},
        dose_units={row["unit"]: Decimal(row["iu"]) for row in content.of(layout.DOSE_UNITS)},
        encounter_classes=_settings(encounters, "encounter"),
        care_locations=_settings(encounters, "location"),
    )


# ---- what the rules know


def _knowledge(content: Content) -> Knowledge:
    values: dict[str, Any] = dict[str, Decimal | timedelta](content.criteria)
    return Knowledge(
        criteria=Criteria(**values),
        causes={row["id"]: _cause(row) for row in content.of(layout.CAUSES)},
        ranges=tuple(_range(row) for row in content.of(layout.RANGES)),
    )


def _cause(row: Row) -> Cause:
    return Cause(
        id=row["id"],
        name=row["name"],
        type=None if row["type"] == layout.OUTCOME else CalcinosisType(row["type"]),
        raises_product=row["raises_product"] == "yes",
        documents_calcification=row["documents_calcification"] == "yes",
        tissue_damage=row["tissue_damage"] == "yes",
    )


def _range(row: Row) -> DefaultRange:
    return DefaultRange(
        input=row["input"],
        age_from_years=Decimal(row["age_from_years"]),
        age_below_years=Decimal(row["age_below_years"]),
        low=_decimal(row["low"]),
        high=_decimal(row["high"]),
        unit=row["unit"],
    )


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


# ---- inputs, units, observations


def _input(row: Row) -> Input:
    bounds = (_decimal(row["low"]), _decimal(row["high"]))
    return Input(row["input"], row["name"], row["canonical_unit"], *bounds, row["prefetch_group"])


def _drug(row: Row) -> Drug:
    return Drug(row["drug"], row["name"], row["group"], frozenset(row["roles"].split(";")))


def _groups(content: Content) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    inputs: dict[str, list[str]] = defaultdict(list)
    for row in content.of(layout.INPUTS):
        inputs[row["prefetch_group"]].append(row["input"])
    groups = sorted(content.of(layout.PREFETCH_GROUPS), key=lambda row: int(row["rank"]))
    return tuple((row["group"], row["title"], tuple(inputs[row["group"]])) for row in groups)


def _observations(content: Content) -> BySystem[ObservationCode]:
    tables: BySystem[ObservationCode] = {codes.LOINC: {}}
    for system, row in _with_system(content, {codes.LOINC: layout.OBSERVATIONS}, layout.LOCAL_OBSERVATIONS):
        tables.setdefault(system, {})[row["code"]] = ObservationCode(
            codes.label(system, row["code"]), row["display"], row["input"], row["status"], row["unit"]
        )
    return tables


def _rejected(content: Content) -> BySystem[RejectedCode]:
    accepted = {row["code"] for row in content.of(layout.OBSERVATIONS)}
    return {
        codes.LOINC: {
            row["code"]: RejectedCode(
                codes.label(codes.LOINC, row["code"]), row["display"], row["looks_like"], row["reason"]
            )
            for row in content.of(layout.REJECTED_OBSERVATIONS)
            if row["code"] not in accepted
        }
    }


def _loinc_by_input(content: Content) -> dict[str, tuple[tuple[str, str], ...]]:
    by_input: dict[str, list[tuple[int, str, str]]] = defaultdict(list)
    for row in content.of(layout.OBSERVATIONS):
        by_input[row["input"]].append((int(row["rank"]), row["code"], row["status"]))
    return {name: tuple((code, status) for _, code, status in sorted(rows)) for name, rows in by_input.items()}


def _panels(content: Content) -> dict[str, tuple[str, ...]]:
    by_input: dict[str, tuple[str, ...]] = {}
    for row in content.of(layout.PANELS):
        _append(by_input, row["input"], row["code"])
    return by_input


def _units(content: Content) -> dict[str, dict[str, UnitRule]]:
    tables: dict[str, dict[str, UnitRule]] = defaultdict(dict)
    for row in content.of(layout.UNITS):
        tables[row["input"]][row["unit"]] = UnitRule(row["ucum"], parse_factor(row["factor"]), row["verdict"])
    return dict(tables)


# ---- conditions, medicines, procedures


def _findings(
    content: Content,
) -> tuple[BySystem[tuple[FindingCode, ...]], BySystem[tuple[FindingCode, ...]]]:
    """Return the concepts of each code, and for ICD those of codes that include what is below them."""
    exact: BySystem[tuple[FindingCode, ...]] = {system: {} for system in layout.FINDINGS}
    prefixes: BySystem[tuple[FindingCode, ...]] = {system: {} for system in codes.ICD_DIAGNOSES}
    for system, row in (
        *_with_system(content, layout.FINDINGS, layout.LOCAL_CONDITIONS),
        *((codes.SNOMED, row) for row in content.of(layout.EXPANDED)),
    ):
        finding = FindingCode(
            row["concept"],
            Specificity(row["specificity"]),
            row["history"] == "any",
            codes.label(system, row["code"]),
            codes.plain_name(row["display"]),
        )
        key = codes.icd_key(row["code"]) if system in codes.ICD_DIAGNOSES else row["code"]
        _append(exact.setdefault(system, {}), key, finding)
        if system in codes.ICD_DIAGNOSES and row["include"] == "descendants":
            _append(prefixes[system], key, finding)
    return exact, prefixes


def _rejected_findings(content: Content) -> dict[str, frozenset[str]]:
    return {
        system: frozenset(
            codes.icd_key(row["code"]) if system in codes.ICD_DIAGNOSES else row["code"] for row in content.of(table)
        )
        for system, table in layout.REJECTED_FINDINGS.items()
    }


def _drugs(content: Content) -> tuple[BySystem[tuple[DrugCode, ...]], dict[str, tuple[DrugCode, ...]]]:
    """Return the medicines of each code, and for ATC those of classes that include their members."""
    exact: BySystem[tuple[DrugCode, ...]] = {system: {} for system in layout.MEDICATIONS}
    prefixes: dict[str, tuple[DrugCode, ...]] = {}
    for system, row in _with_system(content, layout.MEDICATIONS, layout.LOCAL_MEDICATIONS):
        drug = DrugCode(row["drug"], row.cells.get("route", ""), codes.label(system, row["code"]), row["display"])
        _append(exact.setdefault(system, {}), row["code"], drug)
        if row.cells.get("include") == "descendants":
            _append(prefixes, row["code"], drug)
    return exact, prefixes


def _procedure(system: str, row: Row) -> tuple[ProcedureCode, ...]:
    name = codes.plain_name(row["display"])
    return (ProcedureCode(row["kind"], row["use"], codes.label(system, row["code"]), name),)


def _specimen(_system: str, row: Row) -> str:
    """The verdict; urine apart from other fluids."""
    return "reject_urine" if (row["verdict"], row["reason"]) == ("reject", "urine") else row["verdict"]


def _settings(rows: Iterable[Row], kind: str) -> dict[str, EncounterClass]:
    return {row["code"]: EncounterClass(row["setting"]) for row in rows if row["kind"] == kind}


# ---- small parts


def _with_system(content: Content, tables: Mapping[str, Layout], local: Layout) -> Iterable[tuple[str, Row]]:
    for system, table in tables.items():
        for row in content.of(table):
            yield system, row
    for row in content.of(local):
        yield codes.canonical_system(row["system"]), row


def _single(content: Content, tables: Mapping[str, Layout], make: Callable[[str, Row], T]) -> BySystem[T]:
    return {system: {row["code"]: make(system, row) for row in content.of(table)} for system, table in tables.items()}


def _append(table: dict[str, tuple[T, ...]], key: str, value: T) -> None:
    table[key] = (*table.get(key, ()), value)
