"""What the content says about itself and its limits: version, date, reviewers, releases, the words of criteria.toml.

Knows: the TOML files of checked content.
Must not know: how they are shown.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.terminology.content import Content
from cds_service.terminology.criteria import CRITERIA_FILE, MANIFEST_FILE

PUBLISHER = "the calcinosis-cds authors"


@dataclass(frozen=True, slots=True)
class Manifest:
    """manifest.toml. releases: of each code system, as read."""

    version: str
    date: str
    reviewers: tuple[str, ...]
    remark: str
    releases: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Limit:
    """One table of criteria.toml. local: "min to max" where a site may set its own, else ""."""

    name: str
    value: str
    unit: str
    meaning: str
    rules: tuple[str, ...]
    source: str
    local: str


def manifest_of(content: Content) -> Manifest:
    """Return what the content is and who answers for it."""
    entry = tomllib.loads(content.texts[MANIFEST_FILE])
    return Manifest(
        entry["version"], entry["date"], tuple(map(str, entry["reviewers"])), entry["remark"], entry["releases"]
    )


def limits_in(content: Content) -> tuple[Limit, ...]:
    """Return the limits and windows in the order of the file."""
    return tuple(_limit(name, entry) for name, entry in tomllib.loads(content.texts[CRITERIA_FILE]).items())


def _limit(name: str, entry: Mapping[str, Any]) -> Limit:
    local = f"{entry['min']} to {entry['max']}" if "local" in entry else ""
    return Limit(name, entry["value"], entry["unit"], entry["meaning"], tuple(entry["rules"]), entry["source"], local)
