"""What is known of each kind of EHR as a client, read from ehrs.toml.

Knows: the form of the file.
Must not know: cards, HTTP.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("ehrs.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ehr:
    """One kind of EHR. hooks: those that it fires, empty for all. prefetch: whether it sends data with the call.

    feedback: whether it tells what became of a card.
    scope_names: what its registration calls the scope of a resource type. verified: what was tried, and what not.
    issuer, jku: where every site of it has the same.
    """

    title: str
    verified: str
    notes: tuple[str, ...]
    checks: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    prefetch: bool = True
    feedback: bool = True
    issuer: str = ""
    jku: str = ""
    scope_names: Mapping[str, str] = field(default_factory=dict)

    def fires(self, hook: str) -> bool:
        """Whether a service of this hook is of use to the EHR."""
        return not self.hooks or hook in self.hooks


@dataclass(frozen=True, slots=True)
class Filters:
    """Advice on asking less often. rows: each filter, and whom it would leave without a card."""

    intro: str
    rows: tuple[tuple[str, str], ...]


def known_ehrs() -> tuple[Mapping[str, Ehr], Filters]:
    """The EHRs by name, and the advice that holds for all."""
    told = tomllib.loads(_FILE.read_text("utf-8"))
    ehrs = {name: Ehr(**{key: _fixed(value) for key, value in each.items()}) for name, each in told["ehrs"].items()}
    return ehrs, Filters(told["filters"]["intro"], tuple((row[0], row[1]) for row in told["filters"]["rows"]))


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
