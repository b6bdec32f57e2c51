"""The card of an assessment, as the CDS Hooks specification wants it.

Knows: card fields, which source stands behind which rule, the order of the parts of the text.
Must not know: how the assessment was reached, FHIR, HTTP. The words are in wording/.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cds_service.calcinosis.assessment import Assessment, Tier
from cds_service.hooks.suggestions import ANY, Suggestion
from cds_service.hooks.wording.facts import limits_of, only_suspected
from cds_service.hooks.wording.rules import LIMITS, RULES, SUSPECTED_TOPIC, TOPICS
from cds_service.hooks.wording.sections import (
    advice_lines,
    cause_lines,
    doubt_lines,
    exposure_lines,
    gap_lines,
    rule_lines,
    why_lines,
)
from cds_service.hooks.wording.summary import summary
from cds_service.hooks.wording.values import product_lines, trend_line, value_table
from cds_service.terminology.catalog import Catalog, Source

TOPIC_SYSTEM = "urn:calcinosis-cds:topic"
OVERRIDE_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OVERRIDE_REASONS = (
    ("cds-not-applicable", "Does not apply to this patient"),
    ("action-completed", "Already acted on"),
    ("recipient-disagrees-evidence", "I do not agree with the evidence"),
    ("patient-refuses", "Patient declines"),
    ("cds-suboptimal-context", "Wrong moment or place"),
    ("need-more-info", "More information needed first"),
)
MOST_SOURCES, MOST_LINKS = 6, 4


@dataclass(frozen=True, slots=True)
class Coding:
    """A code with its system; display in our own words."""

    system: str
    code: str
    display: str

    def to_json(self) -> dict[str, str]:
        """Return the CDS Hooks Coding."""
        return {"system": self.system, "code": self.code, "display": self.display}


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a source, to a rule or to the page behind the card; no address holds anything of the patient.

    type: "absolute", or "smart" where the EHR launches the page.
    """

    label: str
    url: str
    type: str = "absolute"

    def to_json(self) -> dict[str, str]:
        """Return the CDS Hooks link."""
        return {"label": self.label, "url": self.url, "type": self.type}


LinksOf = Callable[[Assessment], tuple[Link, ...]]


def no_links(assessment: Assessment) -> tuple[Link, ...]:
    """Return no links of our own: the service shows no pages."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card. extension: the assessment under its own key. rules: those that it stands for, not sent."""

    uuid: str
    summary: str
    indicator: Tier
    detail: str
    source_label: str
    source_url: str | None
    topic: Coding
    links: tuple[Link, ...]
    override_reasons: tuple[Coding, ...]
    extension: Mapping[str, object]
    rules: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def selection_behavior(self) -> str | None:
        """How suggestions may be chosen; None without suggestions."""
        return ANY if self.suggestions else None

    def to_json(self) -> dict[str, object]:
        """Return the CDS Hooks card; absent parts are left out, never null or empty."""
        source: dict[str, object] = {"label": self.source_label, "topic": self.topic.to_json()}
        if self.source_url:
            source["url"] = self.source_url
        card: dict[str, object] = {
            "uuid": self.uuid,
            "summary": self.summary,
            "indicator": str(self.indicator),
            "detail": self.detail,
            "source": source,
        }
        if self.suggestions:
            card["suggestions"] = [suggestion.to_json() for suggestion in self.suggestions]
            card["selectionBehavior"] = self.selection_behavior
        if self.links:
            card["links"] = [link.to_json() for link in self.links]
        if self.override_reasons:
            card["overrideReasons"] = [reason.to_json() for reason in self.override_reasons]
        if self.extension:
            card["extension"] = dict(self.extension)
        return card


def cards_for(
    assessment: Assessment,
    catalog: Catalog,
    new_id: Callable[[], str],
    extension: Mapping[str, object],
    links_of: LinksOf = no_links,
) -> tuple[Card, ...]:
    """Return the card of patient-view: one at the patient's tier, none when there is nothing to show (CL-123, CL-124).

    extension: the assessment under its own key, as decide.py gives it.
    links_of: the links to pages of our own; they stand before those to sources. Asked only when there is a card.
    """
    if assessment.tier is Tier.NONE:
        return ()
    headline = assessment.headline or ""
    topic = ("".join(filter(str.isalnum, headline)) or "CL", TOPICS.get(headline, TOPICS[""]))
    sources = sources_of((headline, *assessment.rules), catalog.sources)
    loud = assessment.tier in (Tier.WARNING, Tier.CRITICAL)
    card = Card(
        uuid=new_id(),
        summary=summary(assessment, catalog.knowledge.criteria),
        indicator=assessment.tier,
        detail=detail(assessment, catalog, sources),
        source_label=label_of(sources[0]) if sources else f"calcinosis-cds rules {catalog.version}",
        source_url=address_of(sources[0]) if sources else None,
        topic=Coding(TOPIC_SYSTEM, *(SUSPECTED_TOPIC if only_suspected(assessment) else topic)),
        links=(*links_of(assessment), *to_sources(sources))[:MOST_LINKS],
        override_reasons=tuple(Coding(OVERRIDE_SYSTEM, *reason) for reason in OVERRIDE_REASONS) if loud else (),
        extension=extension,
        rules=tuple(assessment.rules),
    )
    return (card,)


def to_sources(sources: Iterable[Source]) -> tuple[Link, ...]:
    """Return links to those sources that have an address."""
    return tuple(Link(label_of(source), url) for source in sources if (url := address_of(source)))


def offering(cards: Sequence[Card], suggestions: tuple[Suggestion, ...]) -> tuple[Card, ...]:
    """Return the cards with these suggestions on the first, for a suggestion and its id belong to one card."""
    first, *others = cards or (None,)
    return () if first is None else (replace(first, suggestions=(*first.suggestions, *suggestions)), *others)


def detail(assessment: Assessment, catalog: Catalog, sources: Sequence[Source]) -> str:
    """Return the text of a card in Markdown without HTML that reads as plain text too."""
    criteria = catalog.knowledge.criteria
    limits = limits_of(criteria)
    product = [*product_lines(assessment, criteria), trend_line(assessment, criteria)]
    titled = (
        ("Causes and type", cause_lines(assessment, limits)),
        ("Medicines and risk factors", exposure_lines(assessment)),
        ("Missing or not used", gap_lines(assessment)),
        ("To consider", advice_lines(assessment)),
        ("How firm this is", doubt_lines(assessment)),
        ("Rules that fired", rule_lines(assessment.rules, limits)),
        ("Sources", [cited(source) for source in sources]),
    )
    parts = [
        *why_lines(assessment, limits, criteria),
        value_table(assessment),
        bullets(product),
        *(f"**{title}**\n\n{bullets(lines)}" for title, lines in titled if lines),
        f"Content version {catalog.version}. {LIMITS}",
    ]
    return "\n\n".join(part for part in parts if part)


def bullets(lines: Iterable[str]) -> str:
    """Return a Markdown list of the lines that say something."""
    return "\n".join(f"- {line}" for line in lines if line)


def sources_of(rules: Iterable[str], known: Mapping[str, Source]) -> list[Source]:
    """Return the sources of these rules that the content knows, the first rule's primary source first."""
    ids = [source for rule in rules if rule in RULES for source in RULES[rule].sources]
    return [known[name] for name in dict.fromkeys(ids) if name in known][:MOST_SOURCES]


def label_of(source: Source) -> str:
    """Return the title of a source with its year, which most titles hold already."""
    known = source.year is None or str(source.year) in source.title
    return source.title if known else f"{source.title} ({source.year})"


def address_of(source: Source) -> str | None:
    """Return the address of a source when it is an absolute web address."""
    return source.url if source.url and source.url.startswith("https://") else None


def cited(source: Source) -> str:
    """Return a source with its address."""
    url = address_of(source)
    return f"{label_of(source)}: {url}" if url else label_of(source)
