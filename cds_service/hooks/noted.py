"""What is noted of the cards of a decision, held back or not.

Knows: which parts of a card are kept.
Must not know: where they are kept.
"""

from datetime import datetime

from cds_service.hooks.decide import Decision
from cds_service.storage.records import ShownCard


def shown_cards(decision: Decision, *, at: datetime, tenant: str, service: str, version: str) -> tuple[ShownCard, ...]:
    """The cards as they are kept: no text, no value, of patient and user at most a keyed hash."""
    remembered = decision.remembered
    return tuple(
        ShownCard(
            uuid=card.uuid.lower(),
            at=at,
            tenant=tenant,
            service=service,
            delivery=decision.delivery,
            tier=card.indicator,
            topic=card.topic.code,
            rules=decision.assessment.rules,
            suggestions=tuple(suggestion.uuid for suggestion in card.suggestions),
            content_version=version,
            place=remembered.place if remembered else None,
            evidence=remembered.evidence if remembered else None,
        )
        for card in decision.cards
    )
