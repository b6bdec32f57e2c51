"""Code systems: their addresses, their names and the form of their codes.

Knows: system URIs and the other spellings met for them, code formats, the check digits of LOINC and SNOMED CT.
Must not know: what a code means. A well-formed code is not a right one.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC: Final = "http://www.whocc.no/atc"
ICD10CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10WHO: Final = "http://hl7.org/fhir/sid/icd-10"
ICD9CM: Final = "http://hl7.org/fhir/sid/icd-9-cm"
ICD10PCS: Final = "http://www.cms.gov/Medicare/Coding/ICD10"
V2_0487: Final = "http://terminology.hl7.org/CodeSystem/v2-0487"
V2_0371: Final = "http://terminology.hl7.org/CodeSystem/v2-0371"

SYSTEM_NAMES: Final[Mapping[str, str]] = {
    LOINC: "LOINC",
    SNOMED: "SNOMED CT",
    RXNORM: "RxNorm",
    ATC: "ATC",
    ICD10CM: "ICD-10-CM",
    ICD10WHO: "ICD-10",
    ICD9CM: "ICD-9-CM",
    ICD10PCS: "ICD-10-PCS",
    V2_0487: "HL7 v2-0487",
    V2_0371: "HL7 v2-0371",
}
ICD_DIAGNOSES: Final = frozenset({ICD10CM, ICD10WHO, ICD9CM})

# what SNOMED CT puts behind its fully specified names
_TAG = re.compile(r" \((?:disorder|finding|situation|procedure|regime/therapy|morphologic abnormality|event)\)\Z")

_OTHER_SPELLINGS: Final[Mapping[str, str]] = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.73": ATC,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10WHO,
    "urn:oid:2.16.840.1.113883.6.103": ICD9CM,
    "urn:oid:2.16.840.1.113883.6.4": ICD10PCS,
    "http://hl7.org/fhir/sid/icd-10-pcs": ICD10PCS,
    "http://hl7.org/fhir/v2/0487": V2_0487,
    "http://hl7.org/fhir/v2/0371": V2_0371,
}
_SPELLINGS: Final[dict[str, str]] = {system: system for system in SYSTEM_NAMES} | dict(_OTHER_SPELLINGS)


def canonical_system(system: str) -> str:
    """Return the system URI that our tables use; an unknown URI comes back without stray blanks and final slash."""
    known = _SPELLINGS.get(system)
    if known is not None:
        return known
    plain = system.strip().rstrip("/")
    for spelling in (plain, plain.replace("https://", "http://", 1), "urn:oid:" + plain):
        if spelling in _SPELLINGS:
            return _SPELLINGS[spelling]
    # Editions and versions of SNOMED CT are sent as http://snomed.info/sct/900000000000207008.
    return SNOMED if plain.startswith(SNOMED + "/") else plain


def label(system: str, code: str) -> str:
    """Return a code with the name of its system, as evidence prints it: "SNOMED CT 46177005"."""
    return f"{SYSTEM_NAMES.get(system, system)} {code}"


def icd_key(code: str) -> str:
    """Return an ICD code as it is compared: no dot, no blank, upper case."""
    return code.replace(".", "").replace(" ", "").upper()


def plain_name(display: str) -> str:
    """A name without the tag of fully specified names: "Hemodialysis (procedure)" is "Hemodialysis"."""
    return _TAG.sub("", display)


# ---- the form of codes; each check returns what is wrong, or None

_LOINC_FORM = re.compile(r"(\d{1,7})-(\d)", re.ASCII)
_SNOMED_FORM = re.compile(r"[1-9]\d{5,17}", re.ASCII)
_RXNORM_FORM = re.compile(r"[1-9]\d{0,7}", re.ASCII)
_ATC_FORM = re.compile(r"[A-DGHJLMNPRSV](\d\d([A-Z]([A-Z](\d\d)?)?)?)?", re.ASCII)
# A single chapter letter stands for the whole chapter (C: malignant neoplasms).
_ICD10_FORM = re.compile(r"[A-Z](\d[0-9A-Z](\.[0-9A-Z]{1,4})?)?", re.ASCII)
_ICD9_FORM = re.compile(r"(\d{3}|V\d\d|E\d{3})(\.\d{1,2})?", re.ASCII)
_PCS_FORM = re.compile(r"[0-9A-HJ-NP-Z]{7}", re.ASCII)
_V2_FORM = re.compile(r"[A-Z0-9]{1,8}", re.ASCII)

# Verhoeff's check digit: the group table of the pentagon and the permutation of each position, worked out once.
_MULTIPLY: Final = tuple(
    tuple(
        ((a + b) % 5 if b < 5 else 5 + (a + b - 5) % 5) if a < 5 else (5 + (a - 5 - b) % 5 if b < 5 else (a - b) % 5)
        for b in range(10)
    )
    for a in range(10)
)
_FIRST_PERMUTATION: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _permutations() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_FIRST_PERMUTATION[digit] for digit in rows[-1]))
    return tuple(rows)


_PERMUTE: Final = _permutations()


def loinc_problem(code: str) -> str | None:
    """Check the form and the mod 10 check digit of a LOINC code."""
    form = _LOINC_FORM.fullmatch(code)
    if form is None:
        return f"{code!r} is not a LOINC code (form)"
    total = 0
    for position, digit in enumerate(map(int, reversed(form[1]))):
        doubled = digit if position % 2 else digit * 2
        total += doubled - 9 if doubled > 9 else doubled
    return None if -total % 10 == int(form[2]) else f"{code!r} is not a LOINC code (check digit)"


def snomed_problem(code: str) -> str | None:
    """Check the form, the Verhoeff check digit and the concept partition of a SNOMED CT code."""
    if _SNOMED_FORM.fullmatch(code) is None:
        return f"{code!r} is not a SNOMED CT code (form)"
    state = 0
    for position, digit in enumerate(map(int, reversed(code))):
        state = _MULTIPLY[state][_PERMUTE[position % 8][digit]]
    if state != 0:
        return f"{code!r} is not a SNOMED CT code (check digit)"
    return None if code[-3:-1] in ("00", "10") else f"{code!r} is not a SNOMED CT concept (partition)"


def _form_check(form: re.Pattern[str], name: str) -> Callable[[str], str | None]:
    def problem(code: str) -> str | None:
        return None if form.fullmatch(code) else f"{code!r} is not {name} code (form)"

    return problem


CODE_CHECKS: Final[Mapping[str, Callable[[str], str | None]]] = {
    LOINC: loinc_problem,
    SNOMED: snomed_problem,
    RXNORM: _form_check(_RXNORM_FORM, "an RxNorm"),
    ATC: _form_check(_ATC_FORM, "an ATC"),
    ICD10CM: _form_check(_ICD10_FORM, "an ICD-10-CM"),
    ICD10WHO: _form_check(_ICD10_FORM, "an ICD-10"),
    ICD9CM: _form_check(_ICD9_FORM, "an ICD-9-CM"),
    ICD10PCS: _form_check(_PCS_FORM, "an ICD-10-PCS"),
    V2_0487: _form_check(_V2_FORM, "an HL7 v2-0487"),
    V2_0371: _form_check(_V2_FORM, "an HL7 v2-0371"),
}
