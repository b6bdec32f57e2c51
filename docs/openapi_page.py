"""Write docs/openapi.json as the service serves it: `python -m docs.openapi_page`. tests/test_docs.py compares."""

import json
from pathlib import Path

from cds_service import __version__
from cds_service.hooks.openapi import document
from cds_service.hooks.services import services
from cds_service.terminology.load import load_catalog

PAGE = Path(__file__).parent / "openapi.json"


def page() -> str:
    """The whole document."""
    return json.dumps(document(services(load_catalog()), __version__), indent=1) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
