"""/ops: the service at work, for those who run and govern it; from the journal, which knows nothing of patients.

Knows: who may look (in sandbox mode anyone, elsewhere only someone on this machine), the columns of the CSV.
Must not know: databases.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from ipaddress import ip_address
from typing import Final

from flask import Blueprint, Response, request

from cds_service.hooks.cards import OVERRIDE_REASONS
from cds_service.pages.render import Renderer
from cds_service.storage.activity import Activity, NoActivity
from cds_service.storage.report import EVERY_RULE, Counts, Key, totals

TIERS: Final = ("critical", "warning", "info", "none")
_PASSED_ON: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")
_AT_HOME: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REASONS: Final = {**dict(OVERRIDE_REASONS), "other": "another reason"}
ReadActivity = Callable[[datetime], Activity]


def blueprint(
    render: Renderer, read: ReadActivity | None, clock: Callable[[], datetime], *, sandbox: bool
) -> Blueprint:
    """The routes of the operations page. read: None where there is no journal."""
    routes = Blueprint("operations", __name__)

    def refusal() -> Response | None:
        if sandbox or _from_this_machine():
            return None
        told = "Open it on the machine itself, or through a tunnel: ssh -L 8000:127.0.0.1:8000 HOST."
        return render.message("For people on this machine", told, status=403)

    def activity() -> Activity | Response:
        refused = refusal()
        if refused is not None:
            return refused
        if read is None:
            return render.message("No journal", "CDS_DATABASE_URL is empty: nothing is recorded.", status=404)
        try:
            return read(clock())
        except NoActivity as problem:
            return render.message("The journal cannot be read", f"The database answered with {problem}.", status=503)

    @routes.get("/ops")
    def page() -> Response:
        found = activity()
        if isinstance(found, Response):
            return found
        cards = became(found)
        return render.page("operations.html", here="/ops", a=found, tiers=TIERS, most=_most(found), cards=cards)

    @routes.get("/ops.csv")
    def table() -> Response:
        found = activity()
        if isinstance(found, Response):
            return found
        headers = {"Content-Disposition": 'attachment; filename="activity.csv"', "Cache-Control": "no-store"}
        return Response(as_csv(found), mimetype="text/csv", headers=headers)

    return routes


def _from_this_machine() -> bool:
    """Whether the caller is on this machine, and no proxy speaks for somebody else, nor a page under a foreign name."""
    try:
        near = ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        near = False
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    return near and host in _AT_HOME and not any(name in request.headers for name in _PASSED_ON)


def _most(a: Activity) -> int:
    return max([sum(week.values()) for week in a.weeks.values()] + [1])


@dataclass(frozen=True, slots=True)
class Became:
    """What became of the cards, by name. reasons: words of the reason -> overrides."""

    levels: Mapping[str, Counts]
    rules: Mapping[str, Counts]
    clients: Mapping[str, Counts]
    reasons: Sequence[tuple[str, int]]


def became(a: Activity) -> Became:
    """Return the cards by level, rule and client; a card counts once for each of its rules."""
    whole = {key: counts for key, counts in a.cards.items() if key.rule == EVERY_RULE}
    by_rule = {key: counts for key, counts in a.cards.items() if key.rule != EVERY_RULE}
    levels = totals(whole, lambda key: key.tier)
    reasons = sum((counts.reasons for counts in levels.values()), Counter[str]())
    return Became(
        {tier: levels[tier] for tier in TIERS if tier in levels},
        totals(by_rule, lambda key: key.rule),
        totals(whole, lambda key: key.tenant or "not known"),
        [(_REASONS.get(code, code), count) for code, count in reasons.most_common()],
    )


def as_csv(a: Activity) -> str:
    """Return all counts as rows of kind, week, name, number."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("kind", "week", "name", "number"))
    writer.writerows(_rows(a))
    return text.getvalue()


def _rows(a: Activity) -> Iterator[tuple[str, str, str, float]]:
    for week, tiers in sorted(a.weeks.items()):
        for tier in TIERS:
            yield "decided calls by level", week.isoformat(), tier, tiers.get(tier, 0)
    for kind, counts in (
        ("calls by rule that set the level", a.rules),
        ("calls by outcome", a.outcomes),
        ("values not used by reason", a.gaps),
        ("calls by content version", a.versions),
    ):
        yield from ((kind, "", _plain(name), count) for name, count in counts)
    for client, calls, cards in a.tenants:
        yield "calls by client", "", _plain(client), calls
        yield "calls with a card by client", "", _plain(client), cards
    yield from _card_rows(a)
    for part, found in a.latency.items():
        yield "median ms", "", part, round(found.median, 3)
        yield "95th percentile ms", "", part, round(found.p95, 3)


def _card_rows(a: Activity) -> Iterator[tuple[str, str, str, float]]:
    """The cards by level in each week, then by rule and client, and the reasons of overrides."""
    whole = {key: counts for key, counts in a.cards.items() if key.rule == EVERY_RULE}
    for (week, tier), counts in sorted(_by_week(whole).items()):
        yield from ((f"{kind} by level", week, tier, number) for kind, number in _kinds(counts))
    found = became(a)
    for what, names in (("rule", found.rules), ("client", found.clients)):
        for name, counts in names.items():
            yield from ((f"{kind} by {what}", "", _plain(name), number) for kind, number in _kinds(counts))
    yield from (("overrides by reason", "", _plain(reason), count) for reason, count in found.reasons)


def _by_week(cards: Mapping[Key, Counts]) -> dict[tuple[str, str], Counts]:
    """By Monday and level; the report names weeks as ISO does."""
    found: dict[tuple[str, str], Counts] = {}
    for key, counts in cards.items():
        year, _, week = key.week.partition("-W")
        monday = date.fromisocalendar(int(year), int(week), 1).isoformat()
        found.setdefault((monday, key.tier), Counts()).add(counts)
    return found


def _kinds(c: Counts) -> Iterator[tuple[str, int]]:
    yield from (("cards shown", c.shown), ("cards accepted", c.accepted), ("cards overridden", c.overridden))
    yield from (("cards without feedback", c.ignored), ("cards not repeated", c.repeats))
    yield "cards held back in silence", c.silent


def _plain(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in "=+-@" else name
