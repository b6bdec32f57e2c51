"""The links of cards to pages of our own.

Knows: the addresses of the pages.
Must not know: anything of the patient; no address holds a word about one.
"""

from collections.abc import Callable

from flask import request

from cds_service.calcinosis.assessment import Assessment
from cds_service.hooks.cards import Link, LinksOf, no_links
from cds_service.hooks.routes import Call

TREND = "Calcium, phosphate and product over time"


def links_for(
    public_url: str, keep: Callable[[Call], str | None] | None, *, launched: bool
) -> Callable[[Call], LinksOf]:
    """Return which links the cards of a call get.

    public_url: our address as clients know it, "" for unknown. Then there are links in sandbox mode only, to the
    address that the caller used: elsewhere what a caller calls us must not come back on a card.
    keep: in sandbox mode keeps the call for the page behind its card and returns the key; None elsewhere.
    launched: whether an EHR can launch that page.
    """

    def of_call(call: Call) -> LinksOf:
        base = public_url or (request.host_url.rstrip("/") if keep else "")
        if not base:
            return no_links

        def links(assessment: Assessment) -> tuple[Link, ...]:
            rule, key = assessment.headline, keep(call) if keep else None
            found = [Link(TREND, f"{base}/app?look={key}")] if key else []
            if launched:
                found.append(Link(TREND, f"{base}/app/launch", "smart"))
            if rule:
                found.append(Link(f"Rule {rule}: what it says and rests on", f"{base}/knowledge/rules/{rule}"))
            return tuple(found)

        return links

    return of_call
