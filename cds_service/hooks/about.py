"""What the service tells of itself: start page, OpenAPI document, whether it lives and whether it is ready.

Knows: HTTP, HTML for people.
Must not know: calls, who makes them, databases.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from flask import Blueprint, Response, current_app

from cds_service import __version__
from cds_service.hooks.openapi import document
from cds_service.hooks.refusal import HookError
from cds_service.hooks.services import Service
from cds_service.terminology.catalog import Catalog

RETRY_AFTER_S: Final = 5
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def add(
    routes: Blueprint,
    services: Sequence[Service],
    catalog: Catalog,
    store: Callable[[], bool] | None,
    *,
    needs_store: bool,
) -> None:
    """Add the addresses.

    store: whether the database can be written now; None where nothing is kept. needs_store: without it calls are
    refused. Where they are not, a store that is away is told and the service is ready all the same.
    """
    described = msgspec.json.encode(document(services, __version__))
    content = {"version": catalog.version, "digest": catalog.digest}

    @routes.get("/")
    def start_page() -> Response:
        return Response(
            _start_page(services, [page for page in _PAGES if page in current_app.blueprints]),
            mimetype="text/html",
            headers={"Content-Security-Policy": _POLICY},
        )

    @routes.get("/openapi.json")
    def describe() -> Response:
        return Response(described, mimetype="application/json")

    @routes.get("/healthz")
    def alive() -> Response:
        return Response(b'{"status":"ok"}', mimetype="application/json")

    @routes.get("/readyz")
    def ready() -> Response:
        found = "none" if store is None else "reachable" if store() else "away"
        if needs_store and found == "away":
            raise HookError(
                503,
                "transient",
                "Not ready: the database, which tells whether a token was seen before, takes nothing; calls get 503.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        told = {"status": "ready", "content": content, "store": found}
        return Response(msgspec.json.encode(told), mimetype="application/json")


_PAGES = {
    "playground": "sample patients, and their cards as an EHR draws them",
    "knowledge": "every rule, limit and code with its source",
}


def _start_page(services: Sequence[Service], pages: Sequence[str]) -> str:
    """A page for people who open the address in a browser; pages: those that are on. All texts are our own."""
    shown = "".join(f'<li><a href="{page}">/{page}</a>: {_PAGES[page]}</li>' for page in pages)
    items = "".join(
        f"<li><strong>{service.title}</strong> <code>POST /cds-services/{service.id}</code> (hook {service.hook})<br>"
        f"{service.description}</li>"
        for service in services
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>calcinosis-cds</title>'
        "<style>body{font:1rem/1.5 sans-serif;max-width:45rem;margin:2rem auto;padding:0 1rem}</style>"
        "<h1>calcinosis-cds</h1><p>A CDS Hooks service that flags the risk of metastatic calcification from calcium "
        "and phosphate. For evaluation; not a medical device; not for emergencies.</p>"
        f"<h2>Services</h2><ul>{items}</ul>"
        f"<h2>Try</h2><ul>{shown}"
        '<li><a href="cds-services">/cds-services</a>: the discovery document; give its address to a CDS Hooks '
        "client</li>"
        "<li>In a terminal: <code>cds-service demo</code> fires the sample patients and prints their cards</li>"
        '<li><a href="readyz">/readyz</a>: the version of the clinical content</li></ul></html>'
    )
