"""The service below a path of its host (CDS_PUBLIC_URL with a path), whether a proxy takes the path away or not.

Knows: WSGI.
Must not know: what is served.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def root_of(public_url: str) -> str:
    """Return the path of the address, without a slash at the end; empty for none."""
    return urlsplit(public_url).path.rstrip("/")


class Mounted:
    """The application under its root; what comes without the root is taken as if a proxy had cut it off."""

    def __init__(self, application: WSGIApplication, root: str) -> None:
        self._application = application
        self._root = root

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        path = environ.get("PATH_INFO", "")
        if path.startswith(f"{self._root}/"):
            environ["PATH_INFO"] = path.removeprefix(self._root)
        environ["SCRIPT_NAME"] = self._root
        return self._application(environ, start_response)
