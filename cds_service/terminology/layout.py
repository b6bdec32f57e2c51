"""The files of mappings/ and of a site folder: their columns, keys and what each cell may hold.

Knows: the form of every table.
Must not know: how the catalog is built from them. Longer than 300 lines because it is the one list of all tables.
"""

from collections.abc import Mapping
from typing import Final

from cds_service.calcinosis.assessment import CalcinosisType
from cds_service.calcinosis.facts import EncounterClass, Route, Specificity
from cds_service.terminology import codes, units
from cds_service.terminology.cells import (
    anything,
    code,
    decimal,
    factor,
    identifier,
    local_system,
    one_of,
    optional_decimal,
    rank,
    refers,
    snomed_edition,
    sources,
    text,
)
from cds_service.terminology.table import CellCheck, Layout

OUTCOME: Final = "outcome"
_TYPES: Final = (
    CalcinosisType.METASTATIC,
    CalcinosisType.DYSTROPHIC,
    CalcinosisType.IATROGENIC,
    CalcinosisType.IDIOPATHIC,
    OUTCOME,
)
STATUSES: Final = ("accept", "accept_if_unit", "accept_legacy", "context")
_SPECIMEN_VERDICTS: Final = (
    "accept",
    "accept_with_caution",
    "context_skin",
    "post_dialysis",
    "pre_dialysis",
    "reject",
    "reject_for_calcium_magnesium",
    "reject_for_calcium_magnesium_alp_potassium",
)


_YES_NO = one_of(("no", "yes"))
_INCLUDE = one_of(("descendants", "self"))
_INPUT = refers("input", "in inputs.csv")
_CONCEPT = refers("concept", "in causes.csv or concepts.csv")
_DRUG = refers("drug", "in medications.csv")
_ROUTE_HINT = one_of(("", "injectable", "oral", "other", "rectal"))

# ---- the files


def _conditions(file: str, system: str, *, vital: bool = True) -> Layout:
    columns = {"code": code(system), "display": text, **_FINDING_COLUMNS, "source": sources, "note": anything}
    return Layout(file, columns, ("code", "concept"), vital)


def _rejected_conditions(file: str, system: str, *, vital: bool = True) -> Layout:
    columns = {"code": code(system), "kind": text, "claimed_for": text, "reason": text, "rule": text}
    return Layout(file, columns, ("code",), vital)


def _medications(file: str, system: str, extra: Mapping[str, CellCheck], *, vital: bool = True) -> Layout:
    columns = {"code": code(system), "display": text, "drug": _DRUG, **extra, "source": sources, "note": anything}
    return Layout(file, columns, ("code", "drug"), vital)


def _procedures(file: str, system: str, *, vital: bool = True) -> Layout:
    columns = {
        "code": code(system),
        "display": text,
        "kind": identifier,
        "use": one_of(("accept", "context", "exclude")),
        "source": sources,
        "note": anything,
    }
    return Layout(file, columns, ("code",), vital)


def _specimens(file: str, system: str, *, vital: bool = True) -> Layout:
    columns = {
        "code": code(system),
        "display": text,
        "verdict": one_of(_SPECIMEN_VERDICTS),
        "reason": text,
        "source": sources,
    }
    return Layout(file, columns, ("code",), vital)


_FINDING_COLUMNS: Final[Mapping[str, CellCheck]] = {
    "concept": _CONCEPT,
    "include": _INCLUDE,
    "history": one_of(("active", "any")),
    "specificity": one_of(tuple(Specificity)),
}

# Read first: the ids that the other tables refer to.
PREFETCH_GROUPS: Final = Layout("prefetch-groups.csv", {"group": identifier, "rank": rank, "title": text}, ("group",))
INPUTS: Final = Layout(
    "inputs.csv",
    {
        "input": identifier,
        "name": text,
        "canonical_unit": anything,
        "low": optional_decimal,
        "high": optional_decimal,
        "prefetch_group": refers("group", "in prefetch-groups.csv", optional=True),
        "note": anything,
    },
    ("input",),
)
CAUSES: Final = Layout(
    "causes.csv",
    {
        "id": identifier,
        "name": text,
        "type": one_of(_TYPES),
        "section": text,
        "mechanism": text,
        "rule": anything,
        "recognised_by": text,
        "raises_product": _YES_NO,
        "documents_calcification": _YES_NO,
        "tissue_damage": _YES_NO,
        "no_code_reason": anything,
        "source": sources,
        "note": anything,
    },
    ("id",),
)
CONCEPTS: Final = Layout("concepts.csv", {"id": identifier, "name": text, "used_by": text, "note": anything}, ("id",))
DRUGS: Final = Layout(
    "medications.csv",
    {"drug": identifier, "name": text, "group": identifier, "roles": text, "note": anything},
    ("drug",),
)

OBSERVATIONS: Final = Layout(
    "observations.loinc.csv",
    {
        "code": code(codes.LOINC),
        "display": text,
        "input": _INPUT,
        "unit": anything,
        "status": one_of(STATUSES),
        "rank": rank,
        "source": sources,
        "note": anything,
    },
    ("code",),
)
# Asked for together with an input, for some send the results as components of a panel; never read by themselves.
PANELS: Final = Layout(
    "panels.loinc.csv",
    {"code": code(codes.LOINC), "display": text, "input": _INPUT, "source": sources, "note": anything},
    ("code",),
)
REJECTED_OBSERVATIONS: Final = Layout(
    "observations.rejected.csv",
    {"code": code(codes.LOINC), "display": text, "looks_like": _INPUT, "reason": text},
    ("code",),
)
UNITS: Final = Layout(
    "units.csv",
    {
        "input": _INPUT,
        "unit": anything,
        "ucum": anything,
        "factor": factor,
        "verdict": one_of(units.VERDICTS),
        "basis": anything,
        "source": sources,
        "note": anything,
    },
    ("input", "unit"),
)
RANGES: Final = Layout(
    "reference-ranges.csv",
    {
        "input": _INPUT,
        "age_from_years": decimal,
        "age_below_years": decimal,
        "low": optional_decimal,
        "high": optional_decimal,
        "unit": text,
        "source": sources,
        "note": anything,
    },
    ("input", "age_from_years"),
)
ROUTES: Final = Layout(
    "routes.snomed.csv",
    {"code": code(codes.SNOMED), "display": text, "route": one_of(tuple(Route)), "source": sources},
    ("code",),
    vital=False,
)
DOSE_UNITS: Final = Layout(
    "dose-units.csv", {"unit": text, "ucum": text, "iu": factor, "source": sources, "note": anything}, ("unit",)
)
ENCOUNTERS: Final = Layout(
    "encounter-classes.csv",
    {
        "code": text,
        "display": text,
        "kind": one_of(("encounter", "location")),
        "setting": one_of(tuple(EncounterClass)),
        "source": sources,
    },
    ("code",),
)

SPECIMENS: Final[Mapping[str, Layout]] = {
    codes.SNOMED: _specimens("specimens.snomed.csv", codes.SNOMED, vital=False),
    codes.V2_0487: _specimens("specimens.v2-0487.csv", codes.V2_0487),
    codes.V2_0371: _specimens("specimens.v2-0371.csv", codes.V2_0371),
}
FINDINGS: Final[Mapping[str, Layout]] = {
    codes.SNOMED: _conditions("conditions.snomed.csv", codes.SNOMED, vital=False),
    codes.ICD10CM: _conditions("conditions.icd10cm.csv", codes.ICD10CM),
    codes.ICD10WHO: _conditions("conditions.icd10who.csv", codes.ICD10WHO),
    codes.ICD9CM: _conditions("conditions.icd9cm.csv", codes.ICD9CM),
    codes.RXNORM: _conditions("interference.rxnorm.csv", codes.RXNORM),
}
# What a terminology server says lies below the reviewed SNOMED CT concepts: written by expand-mappings, never by hand.
_BELOW = {"include": one_of(("self",)), "specificity": one_of((Specificity.NARROWER,)), "source": snomed_edition}
EXPANDED: Final = Layout(
    "conditions.snomed.expanded.csv",
    {**FINDINGS[codes.SNOMED].columns, **_BELOW},
    ("code", "concept"),
    vital=False,
)
REJECTED_FINDINGS: Final[Mapping[str, Layout]] = {
    codes.SNOMED: _rejected_conditions("conditions.rejected.snomed.csv", codes.SNOMED, vital=False),
    codes.ICD10CM: _rejected_conditions("conditions.rejected.icd10cm.csv", codes.ICD10CM),
}
MEDICATIONS: Final[Mapping[str, Layout]] = {
    codes.RXNORM: _medications("medications.rxnorm.csv", codes.RXNORM, {"route": _ROUTE_HINT}),
    codes.ATC: _medications("medications.atc.csv", codes.ATC, {"include": _INCLUDE, "route": _ROUTE_HINT}),
    codes.SNOMED: _medications("medications.snomed.csv", codes.SNOMED, {}, vital=False),
}
PROCEDURES: Final[Mapping[str, Layout]] = {
    codes.SNOMED: _procedures("procedures.snomed.csv", codes.SNOMED, vital=False),
    codes.ICD10PCS: _procedures("procedures.icd10pcs.csv", codes.ICD10PCS),
}

# A site's own codes, under any system URI of its own.
_LOCAL = {"system": local_system, "code": text, "display": text}
LOCAL_OBSERVATIONS: Final = Layout(
    "observations.local.csv",
    {**_LOCAL, "input": _INPUT, "unit": anything, "status": one_of(STATUSES), "note": anything},
    ("system", "code"),
)
LOCAL_CONDITIONS: Final = Layout(
    "conditions.local.csv", {**_LOCAL, **_FINDING_COLUMNS, "note": anything}, ("system", "code", "concept")
)
LOCAL_MEDICATIONS: Final = Layout(
    "medications.local.csv",
    {**_LOCAL, "drug": _DRUG, "route": _ROUTE_HINT, "note": anything},
    ("system", "code", "drug"),
)
LOCAL: Final = (LOCAL_OBSERVATIONS, LOCAL_CONDITIONS, LOCAL_MEDICATIONS)

ICD_FINDINGS: Final = tuple(FINDINGS[system] for system in sorted(codes.ICD_DIAGNOSES))

# Which file turns down codes of which.
REJECTIONS: Final[Mapping[str, Layout]] = {
    OBSERVATIONS.file: REJECTED_OBSERVATIONS,
    **{FINDINGS[system].file: rejected for system, rejected in REJECTED_FINDINGS.items()},
    EXPANDED.file: REJECTED_FINDINGS[codes.SNOMED],
}
NOT_VERIFIED: Final = "not verified"

VOCABULARY: Final = (PREFETCH_GROUPS, INPUTS, CAUSES, CONCEPTS, DRUGS)
CODE_TABLES: Final = (
    OBSERVATIONS,
    PANELS,
    REJECTED_OBSERVATIONS,
    UNITS,
    RANGES,
    *SPECIMENS.values(),
    *FINDINGS.values(),
    *REJECTED_FINDINGS.values(),
    *MEDICATIONS.values(),
    *PROCEDURES.values(),
    ROUTES,
    DOSE_UNITS,
    ENCOUNTERS,
)
# What a site folder may add rows to; the meaning of ids, ranges and rejections is not the site's to change.
ADDABLE: Final = (
    OBSERVATIONS,
    UNITS,
    *SPECIMENS.values(),
    *FINDINGS.values(),
    EXPANDED,
    *MEDICATIONS.values(),
    *PROCEDURES.values(),
    ROUTES,
)
