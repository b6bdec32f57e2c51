"""All pages of one service, put together over the parts that app.py hands in.

Knows: which pages there are, when each is shown, the navigation.
Must not know: settings, environment, clock; what the pages show.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Flask

from cds_service import __version__
from cds_service.fhir.gather import Fetch
from cds_service.hooks.cards import LinksOf
from cds_service.hooks.request import HookRequest
from cds_service.hooks.routes import Call
from cds_service.hooks.services import Service
from cds_service.pages import knowledge, operations, playground, trend
from cds_service.pages.knowledge import Knowledge
from cds_service.pages.links import links_for
from cds_service.pages.render import Renderer, templates
from cds_service.pages.samples import samples_in
from cds_service.pages.shelf import Shelf
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.content import Content

if TYPE_CHECKING:
    from cds_service.outgoing.session import Session
    from cds_service.pages.smart import SmartApp


@dataclass(frozen=True, kw_only=True)
class PageParts:
    """What the pages work with.

    read_content: gives the rows behind the catalog, which are read when a page first needs them.
    examples: the folder of sample patients, None when it is not installed.
    servers: the FHIR servers outside this machine that may be read.
    smart_clients: our client id at each EHR that may launch the page behind a card. session: for calls to these.
    frame_ancestors: web origins that may show the pages inside their own window.
    read_activity: what the journal tells; None where there is none.
    """

    catalog: Catalog
    read_content: Callable[[], Content]
    services: Sequence[Service]
    sandbox: bool
    examples: Path | None
    servers: Sequence[str]
    fetch_for: Callable[[HookRequest], Fetch | None]
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    public_url: str
    smart_clients: Mapping[str, str]
    session: Callable[[], "Session"]
    frame_ancestors: str
    read_activity: operations.ReadActivity | None

    @cached_property
    def content(self) -> Content:
        """The rows behind the catalog."""
        return self.read_content()

    @cached_property
    def knowledge(self) -> Knowledge:
        """The tables of the knowledge pages."""
        return Knowledge(self.catalog, self.content)

    @cached_property
    def setup(self) -> dict[str, object]:
        """What the playground must know."""
        samples = samples_in(self.examples)
        return playground.setup_of(self.catalog, self.content, self.services, self.servers, samples)


def install(app: Flask, parts: PageParts) -> Callable[[Call], LinksOf]:
    """Add the pages to the app, compile their templates, and return which links to them cards get."""
    templates()
    render = Renderer(
        parts.frame_ancestors,
        urlsplit(parts.public_url).path,
        navigation=navigation(parts),
        sandbox=parts.sandbox,
        software=__version__,
        content=parts.catalog.version,
    )
    app.register_blueprint(Blueprint("assets", __name__, static_folder="static", static_url_path="/assets"))
    app.register_blueprint(knowledge.blueprint(render, lambda: parts.knowledge))
    app.register_blueprint(operations.blueprint(render, parts.read_activity, parts.clock, sandbox=parts.sandbox))
    launched = bool(parts.smart_clients)
    if not parts.sandbox and not launched:
        return links_for(parts.public_url, None, launched=False)
    behind = trend_of(render, parts)
    app.register_blueprint(trend.blueprint(behind))
    if not parts.sandbox:
        return links_for(parts.public_url, None, launched=launched)
    app.register_blueprint(
        playground.blueprint(
            render, samples_in(parts.examples), parts.services, parts.fetch_for, parts.new_id, lambda: parts.setup
        )
    )
    return links_for(parts.public_url, behind.keep, launched=launched)


def trend_of(render: Renderer, parts: PageParts) -> trend.Trend:
    """The page behind a card, and the app that an EHR launches where there is one."""
    shelf = Shelf(parts.new_id, parts.clock, trend.LIFE)
    return trend.Trend(
        catalog=parts.catalog,
        services=parts.services,
        render=render,
        shelf=shelf,
        fetch_for=parts.fetch_for,
        clock=parts.clock,
        new_id=parts.new_id,
        sandbox=parts.sandbox,
        smart=smart_of(parts, shelf) if parts.smart_clients else None,
        framed=bool(parts.frame_ancestors),
    )


def smart_of(parts: PageParts, shelf: Shelf) -> "SmartApp":
    """The app that EHRs launch; what it reads with is imported only where there are any."""
    from cds_service.pages.smart import SmartApp

    redirect_uri = f"{parts.public_url}/app/callback"
    return SmartApp(
        clients=parts.smart_clients,
        redirect_uri=redirect_uri,
        shelf=shelf,
        new_id=parts.new_id,
        session=parts.session(),
    )


def navigation(parts: PageParts) -> list[dict[str, str]]:
    """The pages that are on, in the order of the bar."""
    shown = [("/playground", "Playground")] if parts.sandbox else []
    at_work = [("/ops", "Operations")] if parts.sandbox and parts.read_activity is not None else []
    return [{"path": path, "label": label} for path, label in (*shown, ("/knowledge", "Knowledge"), *at_work)]
