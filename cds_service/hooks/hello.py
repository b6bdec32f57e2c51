"""The answer of the service `hello`: the connection works, and nothing about the patient was looked at.

Must not know: anything clinical, the request.
"""

from collections.abc import Callable

import msgspec

from cds_service.calcinosis.assessment import Tier
from cds_service.hooks.cards import TOPIC_SYSTEM, Card, Coding
from cds_service.hooks.profiles import Profile, shaped

SUMMARY = "The connection to calcinosis-cds works; no data of the patient was looked at"
DETAIL = (
    "This card comes from the connection test of calcinosis-cds. It is the same for every patient: nothing about the "
    "patient was asked for or looked at, and it says nothing about calcium or phosphate.\n\nSwitch the connection test "
    "off (CDS_HELLO) before clinicians use the service."
)


def hello_body(new_id: Callable[[], str], profile: Profile) -> bytes:
    """Return the response with its one card, in the client's dialect."""
    card = Card(
        uuid=new_id(),
        summary=SUMMARY,
        indicator=Tier.INFO,
        detail=DETAIL,
        source_label="calcinosis-cds connection test",
        source_url=None,
        topic=Coding(TOPIC_SYSTEM, "HELLO", "Connection test"),
        links=(),
        override_reasons=(),
        extension={},
    )
    return msgspec.json.encode({"cards": [shaped(card.to_json(), profile)]})
