"""Write docs/licences.md from what is installed: `python -m docs.licences_page`. tests/test_docs.py compares.

Licences are told by family, without versions of packages, so that the page lasts.
"""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parent / "licences.md"
EXTRAS = ("postgres", "otel")
HEAD = """# Licences

For operators and lawyers; reference, written from the installed packages by `python -m docs.licences_page`.

What an installation with the extras `postgres` and `otel` brings along, as each package declares it. `make sbom` gives
the versions. Clinical code systems have terms of their own: [mappings/README.md](../mappings/README.md).

| package | licence |
|---|---|
"""
_FAMILIES = {
    "Apache-2.0": "apache",
    "BSD": "bsd",
    "LGPL-3.0": "lgpl|lesser general public",
    "MIT": r"\bmit",
    "MPL-2.0": "mpl|mozilla",
    "PSF-2.0": "psf|python software",
}


def page() -> str:
    """The whole page."""
    return HEAD + "".join(f"| {name} | {licence_of(name)} |\n" for name in packages())


def packages() -> list[str]:
    """What the service needs to run, and what that needs."""
    found: set[str] = set()
    waiting = [each for extra in ("", *EXTRAS) for each in _needs("calcinosis-cds", extra)]
    while waiting:
        need = waiting.pop()
        name = canonicalize_name(need.name)
        if name not in found:
            found.add(name)
            waiting += [each for extra in ("", *need.extras) for each in _needs(name, extra)]
    return sorted(found)


def licence_of(name: str) -> str:
    """The families of licences that the package declares; empty when it tells none that is known."""
    told = distribution(name).metadata
    texts = [told.get("License-Expression") or "", *(told.get_all("Classifier") or [])]
    texts = [text for text in texts if text and not text.startswith(("Programming", "Topic", "Operating"))]
    declared = " ".join([*texts, (told.get("License") or "")[:60]])
    return ", ".join(family for family, words in _FAMILIES.items() if re.search(words, declared, re.IGNORECASE))


def _needs(name: str, extra: str) -> Iterator[Requirement]:
    try:
        required = distribution(name).requires or []
    except PackageNotFoundError:
        raise SystemExit(f"{name} is not installed: pip install -e '.[dev,{','.join(EXTRAS)}]'") from None
    for text in required:
        need = Requirement(text)
        here = need.marker is None or need.marker.evaluate({"extra": extra})
        if here and (not extra or (need.marker is not None and not need.marker.evaluate({"extra": ""}))):
            yield need


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
