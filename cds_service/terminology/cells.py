"""What a cell of a table may hold: each check returns what is wrong, or None.

Knows: plain decimals, ids, references to ids of other tables, codes of one system.
Must not know: which file a cell belongs to.
"""

import re

from cds_service.terminology import codes, units
from cds_service.terminology.table import CellCheck, Known

_ID = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", re.ASCII)
_DECIMAL = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_RANK = re.compile(r"[1-9]\d?", re.ASCII)
_EDITION = re.compile(r"http://snomed\.info/sct/\d{6,18}/version/\d{8}", re.ASCII)
_SYSTEM = re.compile(r"(?:https?://|urn:)\S+", re.ASCII)


def anything(value: str, known: Known) -> str | None:
    """Accept every text, also none."""
    return None


def text(value: str, known: Known) -> str | None:
    """Ask for some text."""
    return None if value else "is empty"


def identifier(value: str, known: Known) -> str | None:
    """Ask for an id."""
    return None if _ID.fullmatch(value) else f"{value!r} is not an id (lower case, digits, - or _)"


def optional_decimal(value: str, known: Known) -> str | None:
    """Ask for a plain decimal or nothing."""
    return None if not value or _DECIMAL.fullmatch(value) else f"{value!r} is not a plain decimal"


def decimal(value: str, known: Known) -> str | None:
    """Ask for a plain decimal."""
    return None if _DECIMAL.fullmatch(value) else f"{value!r} is not a plain decimal"


def rank(value: str, known: Known) -> str | None:
    """Ask for a whole number from 1 to 99."""
    return None if _RANK.fullmatch(value) else f"{value!r} is not a rank (1 to 99)"


def factor(value: str, known: Known) -> str | None:
    """Ask for a unit factor or nothing."""
    return None if not value or units.parse_factor(value) else f"{value!r} is not a factor (4.0078 or 1/4.0078)"


def sources(value: str, known: Known) -> str | None:
    """Ask for ids of sources.toml, each with an optional place behind a colon."""
    if not value:
        return "is empty"
    unknown = [source for source in value.split("; ") if source.split(":")[0] not in known["source"]]
    return f"{', '.join(map(repr, unknown))} is not in sources.toml" if unknown else None


def snomed_edition(value: str, known: Known) -> str | None:
    """Ask for the URI of one version of one SNOMED CT edition."""
    return None if _EDITION.fullmatch(value) else f"{value!r} is not the version URI of a SNOMED CT edition"


def local_system(value: str, known: Known) -> str | None:
    """Ask for the URI of a system that has no file of its own."""
    if not _SYSTEM.fullmatch(value):
        return f"{value!r} is not a system URI"
    shipped = codes.canonical_system(value)
    if shipped in codes.SYSTEM_NAMES:
        return f"{codes.SYSTEM_NAMES[shipped]} has a file of its own: put the code there"
    return None


def one_of(words: tuple[str, ...]) -> CellCheck:
    """Return a check for a closed list of words."""
    allowed = frozenset(words)

    def check(value: str, known: Known) -> str | None:
        return None if value in allowed else f"{value!r} is not one of: {', '.join(words)}"

    return check


def refers(kind: str, where: str, *, optional: bool = False) -> CellCheck:
    """Return a check for an id that another table defines."""

    def check(value: str, known: Known) -> str | None:
        if value in known[kind] or (optional and not value):
            return None
        return f"{value!r} is not {where}"

    return check


def code(system: str) -> CellCheck:
    """Return a check for the form and check digit of a code."""
    problem = codes.CODE_CHECKS[system]

    def check(value: str, known: Known) -> str | None:
        return problem(value)

    return check
