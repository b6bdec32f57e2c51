"""The pages for people put together with the service: what they need, and the links of cards to them.

Knows: settings, the parts of the service.
Must not know: what the pages show.
"""

from dataclasses import replace
from pathlib import Path

from flask import Flask

from cds_service.clients import way_of
from cds_service.hooks.routes import Parts
from cds_service.outgoing.session import new_session
from cds_service.pages.operations import ReadActivity
from cds_service.pages.samples import shipped_examples
from cds_service.pages.site import PageParts, install
from cds_service.settings import Settings
from cds_service.terminology.load import read_whole


def with_pages(app: Flask, settings: Settings, parts: Parts) -> Parts:
    """Add the pages to the app; return the parts whose cards lead to them."""
    local = Path(settings.local_mappings_dir) if settings.local_mappings_dir else None
    links_for = install(
        app,
        PageParts(
            catalog=parts.catalog,
            read_content=lambda: read_whole(local=local),
            services=parts.services,
            sandbox=settings.sandbox,
            examples=shipped_examples(),
            servers=settings.readable_servers,
            fetch_for=lambda request: parts.fetch_for(request, parts.admit()),
            clock=parts.clock,
            new_id=parts.new_id,
            public_url=settings.public_url,
            smart_clients=settings.smart,
            session=lambda: new_session(way_of(settings)),  # to servers that the operator wrote down
            frame_ancestors=settings.frame_ancestors,
            read_activity=activity_of(settings.database_url.get_secret_value()),
        ),
    )
    return replace(parts, links_for=links_for)


def activity_of(url: str) -> ReadActivity | None:
    """What the journal tells; SQLAlchemy is imported only where there is one."""
    if not url:
        return None
    from cds_service.storage.read_activity import reader_of

    return reader_of(url)
