"""What every answer carries, and the address of the numbers.

Knows: HTTP headers; who may read the numbers.
Must not know: which numbers there are; hooks.
"""

from collections.abc import Callable, Mapping
from hmac import compare_digest

from flask import Flask, Response, abort, request

from cds_service.observe import traceparent

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
# Source: OWASP, "REST Security Cheat Sheet", security headers. A page that needs more sets its own policy.
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def install(app: Flask, *, https: bool) -> None:
    """Give every answer its headers and every call its trace. https: clients reach the service by TLS."""
    headers = dict(HEADERS) | ({"Strict-Transport-Security": "max-age=31536000"} if https else {})

    @app.before_request
    def note_trace() -> None:
        traceparent.current.set(traceparent.read(request.headers.get("traceparent")))

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response


def add_metrics(app: Flask, text: Callable[[], bytes], token: str) -> None:
    """Offer the numbers at /metrics. token: what a reader must show; empty: nothing."""

    @app.get("/metrics")
    def metrics() -> Response:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if token and not (scheme.lower() == "bearer" and compare_digest(shown.strip().encode(), token.encode())):
            abort(401)
        return Response(text(), content_type=TEXT_FORMAT)
