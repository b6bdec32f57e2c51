"""/app: the page behind a card. In sandbox mode by a link with a random key, elsewhere launched by an EHR (smart.py).

Knows: how a kept or launched call becomes the page; that page and card come from the same decision.
Must not know: how values are judged or drawn. Nothing of the patient stands in an address or in a log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from flask import Blueprint, Response, request

from cds_service.fhir.gather import Fetch, MissingData
from cds_service.hooks.decide import Decision, decide
from cds_service.hooks.errors import missing_data
from cds_service.hooks.refusal import HookError
from cds_service.hooks.request import HookRequest, read_request
from cds_service.hooks.routes import Call
from cds_service.hooks.services import Service
from cds_service.hooks.wording.texts import RuleWords, rule_words
from cds_service.pages.drawing import chart, lanes
from cds_service.pages.reasons import tree
from cds_service.pages.render import Renderer
from cds_service.pages.series import happenings_of, panels_of, span_of
from cds_service.pages.shelf import Shelf
from cds_service.terminology.catalog import Catalog

if TYPE_CHECKING:
    from cds_service.pages.smart import Launched, SmartApp

PATIENT_VIEW: Final = "patient-view"
LIFE: Final = timedelta(minutes=15)
_GONE: Final = (
    "What this link showed was kept for 15 minutes, by one service on one machine.",
    "Fire the hook again and follow the link of the new card.",
)


class _Kept(msgspec.Struct):
    """A call of the sandbox, kept for the page behind its card."""

    service: str
    at: str
    body: msgspec.Raw


@dataclass(frozen=True, kw_only=True)
class Trend:
    """What the page works with.

    fetch_for: how a kept call's missing data are read again.
    smart: the app that EHRs launch, if any. framed: whether EHRs show it inside their own window.
    """

    catalog: Catalog
    services: Sequence[Service]
    render: Renderer
    shelf: Shelf
    fetch_for: Callable[[HookRequest], Fetch | None]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    sandbox: bool
    smart: "SmartApp | None"
    framed: bool

    @cached_property
    def rules(self) -> dict[str, RuleWords]:
        """The rules by id."""
        return {each.id: each for each in rule_words(self.catalog.knowledge.criteria)}

    def keep(self, call: Call) -> str | None:
        """Keep a call of the sandbox; None where that cannot be, or where it carries a token."""
        if call.request.fhir_authorization is not None:
            return None
        kept = _Kept(call.service.id, call.now.isoformat(), msgspec.Raw(call.body))
        return self.shelf.put(msgspec.json.encode(kept))

    def kept(self, key: str) -> Response:
        """Return the page of a kept call."""
        found = self.shelf.get(key)
        if found is None:
            return self.render.message("This look has ended", *_GONE, status=404)
        kept = msgspec.json.decode(found, type=_Kept)
        service = next(each for each in self.services if each.id == kept.service)
        hook_request = read_request(bytes(kept.body), service.hook, sandbox=True)
        return self.page(hook_request, service, self.fetch_for(hook_request), datetime.fromisoformat(kept.at))

    def launched(self, who: "Launched") -> Response:
        """Return the page of the patient whom the EHR has open, with the data read now."""
        service = next(each for each in self.services if each.hook == PATIENT_VIEW)
        context = {"userId": "Practitioner/smart-launch", "patientId": who.patient_id, "encounterId": who.encounter_id}
        body = msgspec.json.encode({"hook": PATIENT_VIEW, "hookInstance": self.new_id(), "context": context})
        return self.page(read_request(body, PATIENT_VIEW, sandbox=False), service, who.server, self.clock())

    def page(self, hook_request: HookRequest, service: Service, fetch: Fetch | None, now: datetime) -> Response:
        """Return the page of one call: the decision of the card, with every result among its facts."""
        try:
            decision = decide(
                hook_request,
                wanted=service.wanted,
                catalog=self.catalog,
                fetch=fetch,
                now=now,
                new_id=self.new_id,
                every_result=True,
            )
        except MissingData as error:
            told = missing_data(error).diagnostics
            words = "Without these data nothing can be shown. This says nothing about the patient."
            return self.render.message("Data could not be had", told, words, status=502)
        return self.render.page("trend.html", here="/app", **self.shown(decision, now))

    def shown(self, decision: Decision, now: datetime) -> dict[str, Any]:
        """What the template shows of a decision."""
        a, facts = decision.assessment, decision.facts
        panels, happenings = panels_of(decision, self.catalog), happenings_of(facts)
        span = span_of(panels, happenings, now)
        return {
            "a": a,
            "facts": facts,
            "card": decision.cards[0] if decision.cards else None,
            "charts": [chart(panel, span) for panel in panels],
            "lanes": lanes(happenings, span),
            "points": sorted((p for panel in panels for p in panel.points), key=lambda point: point.at, reverse=True),
            "names": {each.id: each.name for each in self.catalog.inputs.values()},
            "tree": tree(a, self.catalog, self.rules),
        }


def blueprint(trend: Trend) -> Blueprint:
    """The addresses that cards and EHRs lead to."""
    routes = Blueprint("trend", __name__)

    @routes.get("/app")
    def app() -> Response:
        key = request.args.get("look", "")
        if trend.sandbox and key:
            return trend.kept(key)
        return trend.render.message(
            "The page behind a card",
            "It is opened by the link of a card: in sandbox mode straight from the playground, elsewhere by the EHR.",
            status=200,
        )

    if trend.smart is not None:
        _add_launch(routes, trend, trend.smart)
    return routes


def _add_launch(routes: Blueprint, trend: Trend, smart: "SmartApp") -> None:
    """The two halves of a SMART launch. Source: SMART App Launch 2, "EHR launch"."""
    from cds_service.pages.smart import LaunchFailed

    secure = smart.redirect_uri.startswith("https:")
    path = urlsplit(smart.redirect_uri).path.removesuffix("/callback")

    def refused(problem: str) -> Response:
        return trend.render.message("The page could not be opened", problem, status=403)

    @routes.get("/app/launch")
    def launch() -> Response:
        try:
            address, state, browser = smart.begin(request.args.get("iss", ""), request.args.get("launch", ""))
        except LaunchFailed as problem:
            return refused(str(problem))
        response = Response(status=302, headers={"Location": address, "Cache-Control": "no-store"})
        response.headers["Referrer-Policy"] = "no-referrer"
        response.set_cookie(
            _cookie(state),
            browser,
            max_age=LIFE,
            path=path,
            secure=secure,
            httponly=True,
            samesite="None" if trend.framed and secure else "Lax",
        )
        return response

    @routes.get("/app/callback")
    def callback() -> Response:
        state = request.args.get("state", "")
        if "error" in request.args:
            return refused("The EHR refused the launch.")
        try:
            browser = request.cookies.get(_cookie(state), "")
            response = trend.launched(smart.finish(state, request.args.get("code", ""), browser))
        except LaunchFailed as problem:
            return refused(str(problem))
        except HookError:
            return refused("The EHR named no patient that this service can read.")
        response.delete_cookie(_cookie(state), path=path, secure=secure, httponly=True)
        return response


def _cookie(state: str) -> str:
    """The name of a launch's cookie: two launches of one browser do not mix."""
    return f"launch-{state}"
