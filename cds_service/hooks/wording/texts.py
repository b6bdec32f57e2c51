"""What each rule says in one clause with the limits in force, for readers of the rules: generated pages, /knowledge.

Knows: all tables of wording.
Must not know: patients; how the texts are shown.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cds_service.calcinosis.knowledge import Criteria
from cds_service.hooks.wording.advice import ADVICE
from cds_service.hooks.wording.facts import limits_of
from cds_service.hooks.wording.findings import TYPES
from cds_service.hooks.wording.rules import RULES, SEED
from cds_service.hooks.wording.sections import fill
from cds_service.hooks.wording.unprinted import UNPRINTED

OWN = "clinical-logic"


class RuleWords(NamedTuple):
    """A rule as it is told. sources: ids of mappings/sources.toml; basis: of advice, in words, else ""."""

    id: str
    clause: str
    sources: tuple[str, ...]
    basis: str


def rule_words(criteria: Criteria) -> tuple[RuleWords, ...]:
    """Return what each rule says, with the limits in force, in the order of the rules."""
    limits = limits_of(criteria)
    clauses = {rule: fill(words, limits, pathway="{type}") for rule, words in clauses_of_rules().items()}
    return tuple(
        RuleWords(rule, clauses[rule], sources_of(rule), ADVICE[rule].basis if rule in ADVICE else "")
        for rule in sorted(clauses, key=_place)
    )


def clauses_of_rules() -> Mapping[str, str]:
    """Return the clause of each rule as the tables of wording have it; advice with its blanks left open."""
    printed = {rule: row.clause for rule, row in RULES.items() if row.clause}
    advice = {rule: _open(row.words) for rule, row in ADVICE.items()}
    return {**printed, **UNPRINTED, **TYPES, **advice}


def sources_of(rule: str) -> tuple[str, ...]:
    """Return the ids of the sources of a rule; what no publication says is our own choice."""
    if rule in RULES and RULES[rule].sources:
        return RULES[rule].sources
    return (SEED, OWN) if rule in TYPES else (OWN,)


def _open(words: str) -> str:
    """Advice is completed by what the record holds: show the blanks."""
    return words.replace("{", "[").replace("}", "]")


def _place(rule: str) -> tuple[int, str]:
    return int("".join(filter(str.isdigit, rule))), rule
