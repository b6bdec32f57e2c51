"""HTML answers: templates, the headers that every page carries.

Knows: where the templates lie, what a browser may load for our pages (files of our own and nothing else).
Must not know: what a page shows.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

from flask import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

_OWN_ADDRESS: Final = re.compile(r'\b(?:href|src|action)="(?=/)')
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
)


@cache
def templates() -> Environment:
    """Return all templates, compiled: one set a process, made when the first app is put together."""
    folder = files("cds_service.pages") / "templates"
    environment = Environment(
        loader=FileSystemLoader(str(folder)),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,
    )
    for name in environment.list_templates():
        environment.get_template(name)
    return environment


class Renderer:
    """Turns templates into answers.

    root: the path below which the pages lie, for instance /cds; every address of our own in them begins with a slash.
    shared: what every page shows (navigation, version).
    """

    def __init__(self, frame_ancestors: str = "", root: str = "", **shared: object) -> None:
        self._shared = shared | {"root": root}
        self._root = root
        self._headers = {
            "Content-Security-Policy": POLICY.format(ancestors=frame_ancestors or "'none'"),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }

    def page(self, template: str, *, status: int = 200, **shown: object) -> Response:
        """Return a page; no cache keeps it, for it may show a patient."""
        text = templates().get_template(template).render(**self._shared, **shown)
        if self._root:  # text of a chart has no quotes here: it is escaped
            text = _OWN_ADDRESS.sub(rf"\g<0>{self._root}", text)
        return Response(text, status=status, mimetype="text/html", headers=self._headers)

    def message(self, title: str, *paragraphs: str, status: int) -> Response:
        """Return a page that says what went wrong and what to do."""
        return self.page("message.html", status=status, title=title, paragraphs=paragraphs)
