"""The composition root: settings in, a ready Flask app out. Here alone the parts meet.

Knows: all parts, the real clock and the real source of ids.
Must not know: anything clinical.
"""

import gc
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask
from flask_cors import CORS

from cds_service import observers
from cds_service.clients import Clients, read_clients, tokens_of, way_of
from cds_service.fhir.gather import Fetch
from cds_service.first_call import rehearse
from cds_service.hooks import errors, routes
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import Offer, services
from cds_service.hooks.turns import Turns
from cds_service.keeping import counting, feedback_of, reach_of, recollection_of
from cds_service.mounted import Mounted, root_of
from cds_service.settings import Settings, SettingsError
from cds_service.storage.records import DecisionRecord
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.load import load_catalog
from cds_service.trust.addresses import is_loopback, reachable, this_machine
from cds_service.trust.tenants import Network, Tenant

if TYPE_CHECKING:
    from cds_service.outgoing.session import Session
    from cds_service.trust.replay import Memory

log = logging.getLogger(__name__)

LOOPBACK_ORIGIN = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
PATIENCE_S = 5.0  # longer no clinician waits for a card


class Recorder(Protocol):
    """Where decisions are noted; storage.journal.Journal is the real one."""

    def record(self, entry: DecisionRecord) -> None:
        """Take a record without waiting."""

    def close(self) -> None:
        """Write what is waiting."""


@dataclass(frozen=True)
class NoJournal:
    """Notes nothing (CDS_DATABASE_URL is empty)."""

    def record(self, entry: DecisionRecord) -> None:
        """Forget it."""

    def close(self) -> None:
        """Nothing waits."""


def local_now() -> datetime:
    """The time with the zone of this machine, so that dates without time count in the site's days."""
    return datetime.now(UTC).astimezone()


def new_uuid() -> str:
    """A new id for a card or an incident."""
    return str(uuid4())


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = local_now,
    new_id: Callable[[], str] = new_uuid,
    catalog: Catalog | None = None,
    journal: Recorder | None = None,
    admit: Callable[[], Tenant] | None = None,
) -> Flask:
    """Put the service together. admit: who calls; by default as the settings say.

    Raises: ContentError when the mappings cannot be used, SettingsError when the journal's database cannot.
    """
    catalog = catalog or catalog_of(settings)
    journal = journal or journal_of(settings)
    noted = observers.observers_of(settings, journal, journal.record, (catalog.version, catalog.digest))
    feedback = feedback_of(settings)
    app = Flask("cds_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.merge_slashes = False  # an address fits or is unknown; a redirect would repeat the patient's data
    clients = clients_of(settings, catalog)
    parts = routes.Parts(
        catalog=catalog,
        catalogs=clients.catalogs,
        services=services(catalog, offer_of(settings)),
        sandbox=settings.sandbox,
        explains=settings.explains,
        validate=settings.validates,
        clock=clock,
        new_id=new_id,
        admit=admit or admission_of(settings, clients, clock),
        guards_discovery=settings.discovery_token,
        turns=Turns(settings.threads, settings.waiting_calls, PATIENCE_S),
        record=noted.record,
        audit=noted.audit,
        fetch_for=noted.counting(fetch_of(settings)),
        keep_feedback=counting(feedback, noted.feedback) if feedback else None,
        keeps_comments=settings.keep_comments,
        memory=recollection_of(settings),
        store=reach_of(settings),
        needs_store=settings.checks_callers,
    )
    if settings.shows_pages:
        from cds_service.page_parts import with_pages  # imported here, so that a service without pages does not pay

        parts = with_pages(app, settings, parts)
    app.register_blueprint(routes.blueprint(parts))
    errors.install(app, new_id)
    observers.install(app, noted, settings)
    _allow_browsers(app, settings)
    if root := root_of(settings.public_url):
        app.wsgi_app = Mounted(app.wsgi_app, root)  # type: ignore[method-assign]
    app.extensions["journal"] = journal
    app.extensions["feedback"] = feedback
    app.extensions["clients"] = clients
    rehearse(catalog, clock, validate=settings.validates)
    return app


def offer_of(settings: Settings) -> Offer:
    """What the settings want offered."""
    return Offer(
        hello=settings.hello,
        by_input=settings.prefetch_by_input,
        count=settings.prefetch_count,
        look_back_days=settings.prefetch_look_back_days,
    )


def catalog_of(settings: Settings) -> Catalog:
    """The shipped content with the site's own codes."""
    return load_catalog(local=Path(settings.local_mappings_dir) if settings.local_mappings_dir else None)


def journal_of(settings: Settings) -> Recorder:
    """The journal that the settings name; SQLAlchemy is imported only when there is one.

    A database that does not answer is no reason not to start, for cards need none.

    Raises: SettingsError when the URL cannot name one, or its tables lack something.
    """
    url = settings.database_url.get_secret_value()
    if not url:
        return NoJournal()
    from cds_service.storage.engine import FAILURES, UnusableDatabase
    from cds_service.storage.journal import Journal
    from cds_service.storage.version import outdated

    try:
        problem = outdated(url)
    except UnusableDatabase as error:
        problem = str(error)
    except FAILURES as error:
        log.warning("database away at start", extra={"error": type(error).__name__})
        problem = None
    if problem:
        raise SettingsError((f"CDS_DATABASE_URL: {problem}",))
    return Journal(url)


def can_prepare(url: str, *, sandbox: bool) -> bool:
    """Tell whether a server that starts may make the tables itself: on SQLite, where it is new or in sandbox mode."""
    from cds_service.storage.engine import FAILURES, UnusableDatabase, sqlite_file
    from cds_service.storage.version import is_empty, outdated

    try:
        file = sqlite_file(url)
        return file is not None and (is_empty(file) or (sandbox and outdated(url) is not None))
    except (UnusableDatabase, *FAILURES):
        return False


def clients_of(settings: Settings, catalog: Catalog) -> Clients:
    """The clients that the settings name; what reads keys is imported only when there are any."""
    if not settings.tenants_file:
        return Clients(catalogs={})
    from cds_service.trust.tenants_file import TenantsError

    try:
        return read_clients(Path(settings.tenants_file), catalog, settings)
    except TenantsError as error:
        raise SettingsError(tuple(f"CDS_TENANTS_FILE: {problem}" for problem in error.problems)) from None


def admission_of(settings: Settings, clients: Clients, clock: Callable[[], datetime]) -> Callable[[], Tenant]:
    """Who calls. Where there are no clients to tell apart, everyone is the same one; the start has warned of that."""
    everyone = Tenant(fhir_servers=settings.readable_servers, fhir_networks=settings.readable_networks)
    if not clients.tenants:
        return lambda: everyone
    from cds_service.hooks.admission import admission

    return admission(
        tokens_of(settings, clients.tenants, memory=memory_of(settings), clock=clock),
        certificate_header=settings.client_certificate_header,
        without_token=everyone if settings.sandbox else None,
    )


def warn_of_open_door(settings: Settings) -> None:
    """Say in the log, at each start, that nobody is checked."""
    if not settings.checks_callers:
        log.warning("callers are not checked", extra={"sandbox": settings.sandbox, "host": settings.host})


def memory_of(settings: Settings) -> "Memory":
    """Where it is noted which tokens were seen: the database, for all processes share it."""
    from cds_service.trust.replay import OwnMemory

    url = settings.database_url.get_secret_value()
    if not url:
        return OwnMemory()
    from cds_service.storage.seen_tokens import SeenTokens

    return SeenTokens(url)


def fetch_of(settings: Settings) -> Callable[[HookRequest, Tenant], Fetch | None]:
    """How a call's missing data are read: from the FHIR server that it names, if that one may be read at all."""
    if not settings.sandbox and not settings.readable_servers and not settings.tenants_file:
        return lambda request, tenant: None
    from cds_service.fhir.client import FhirServer, Limits, is_allowed
    from cds_service.outgoing.session import new_session

    way, limits = way_of(settings), Limits.within(settings.fhir_timeout_s)
    at_home = new_session(may_connect=this_machine)

    @cache  # a session is the connections to the servers of one client
    def session_of(servers: tuple[str, ...], networks: tuple[Network, ...]) -> "Session":
        return new_session(way, may_connect=reachable(servers, networks))

    def fetch_for(request: HookRequest, tenant: Tenant) -> Fetch | None:
        server = request.fhir_server
        if server is None:
            return None
        token = request.fhir_authorization.access_token if request.fhir_authorization else None
        if is_allowed(server, tenant.fhir_servers):
            return FhirServer(server, token, session_of(tenant.fhir_servers, tenant.fhir_networks), limits)
        if settings.sandbox and is_loopback(urlsplit(server).hostname or ""):
            return FhirServer(server, token, at_home, limits)
        return None

    return fetch_for


def freeze() -> None:
    """Take all that start-up made out of the collector's sight; call once, when a process is ready to serve."""
    gc.collect()
    gc.freeze()


def _allow_browsers(app: Flask, settings: Settings) -> None:
    """Let pages of the allowed origins call the service. Source: CDS Hooks 2.0, "Cross-Origin Resource Sharing"."""
    origins: list[str | re.Pattern[str]] = [*settings.origins]
    if settings.sandbox:
        origins.append(re.compile(LOOPBACK_ORIGIN.pattern + r"\Z"))
    if origins:
        CORS(
            app,
            resources={r"/cds-services(/.*)?": {}},
            origins=origins,
            methods=["GET", "HEAD", "POST", "OPTIONS"],
            allow_headers=["Authorization", "Content-Type"],
            max_age=600,
        )
