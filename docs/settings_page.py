"""Write docs/settings.md from the settings themselves: `python -m docs.settings_page`. tests/test_docs.py compares."""

from pathlib import Path

from pydantic import SecretStr

from cds_service.settings import PREFIX, Settings

PAGE = Path(__file__).parent / "settings.md"
HEAD = """# Settings

For operators; reference, written from `cds_service/settings.py` by `python -m docs.settings_page`.

Each option is an environment variable; `cds-service serve` has flags for the common ones, and a flag wins. A variable
that begins with `CDS_` and is not listed here is an error, so that a misspelt one is noticed. All problems are told at
once.

| variable | default | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_row(name) for name in Settings.model_fields)


def _row(name: str) -> str:
    field = Settings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = "" if default in {"", None} else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    return f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
