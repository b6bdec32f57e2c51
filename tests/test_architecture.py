"""Who may import whom, and who may touch the world outside: read from the syntax tree of every module.

The same check runs over copies with a planted line, so that it is known to notice.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cds_service"

# layer -> (other layers, packages of others)
MAY_IMPORT: dict[str, tuple[set[str], set[str]]] = {
    "calcinosis": (set(), set()),
    "terminology": ({"calcinosis"}, set()),
    "fhir": ({"calcinosis", "terminology", "outgoing"}, {"msgspec", "fhir"}),
    "interchange": ({"calcinosis", "terminology"}, set()),
    "storage": ({"calcinosis"}, {"sqlalchemy"}),
    "outgoing": (set(), {"requests", "urllib3"}),
    "trust": ({"outgoing"}, {"pydantic"}),
    "observe": ({"fhir", "storage"}, {"msgspec"}),
    "coverage": ({"calcinosis", "terminology", "fhir"}, {"msgspec"}),
    "hooks": ({"calcinosis", "terminology", "fhir", "storage", "trust"}, {"msgspec"}),
    # shows what the others say; imported by app.py only where pages are on
    "pages": (
        {"calcinosis", "terminology", "fhir", "storage", "outgoing", "trust", "hooks", "interchange"},
        {"flask", "jinja2", "msgspec"},
    ),
    "onboarding": ({"calcinosis", "terminology", "fhir", "hooks"}, {"jinja2"}),
    "screen": ({"calcinosis", "terminology", "fhir", "hooks"}, {"msgspec"}),
}
# like the root, sees all layers; nothing but the root imports it
COMMANDS = {"click"}
# what one module may have besides its layer
BESIDES: dict[str, set[str]] = {
    "fhir/client.py": {"requests", "urllib3"},
    "fhir/validate.py": {"pydantic"},  # the errors of fhir.resources
    "storage/upgrade.py": {"alembic"},
    "interchange/resources.py": {"fhir"},
    "interchange/expansion.py": {"requests"},  # asks a terminology server, never at hook time
    "trust/jwks.py": {"jwt"},
    "trust/key_fetch.py": {"requests", "urllib3"},
    "trust/tokens.py": {"jwt"},
    "coverage/report.py": {"jinja2"},
    "hooks/about.py": {"flask"},
    "hooks/admission.py": {"flask"},
    "observe/metrics.py": {"prometheus_client"},
    "observe/shared.py": {"prometheus_client"},
    "observe/spans.py": {"opentelemetry"},
    "observe/web.py": {"flask"},
    "pages/smart.py": {"requests"},  # the exchange of the code; only where an EHR may launch us
    "hooks/routes.py": {"flask"},
    "hooks/errors.py": {"flask", "werkzeug", "fhir"},
    "screen/page.py": {"jinja2", "markupsafe"},  # the report; nothing of it is asked during a call
    "screen/spark.py": {"pyarrow", "pyspark"},  # the extra `spark`
}
# what all modules of a folder may have besides their layer
BESIDES_IN: dict[str, set[str]] = {"storage/migrations/": {"alembic"}}
# the standard library that the clinical core may use
CORE_STDLIB = {
    "bisect",
    "calendar",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "itertools",
    "math",
    "typing",
}
# modules of the root see all layers; nothing below imports them
ROOT = {
    "__init__": set(),
    "__main__": set(),
    "app": {"flask", "flask_cors"},
    "assess": {"msgspec"},
    "cli": {"click"},
    "keeping": set(),
    "clients": set(),
    "demo": {"msgspec"},
    "first_call": set(),
    "logs": {"msgspec"},
    "mounted": set(),
    "observers": {"flask"},
    "page_parts": {"flask"},
    "server": {"flask", "granian"},
    "settings": {"pydantic", "pydantic_settings"},
    "wsgi": set(),
}
# prometheus-client is told its folder by the environment and not otherwise
READS_ENVIRONMENT = {"cli.py", "commands/common.py", "observe/shared.py", "wsgi.py"}
CLOCKS_AND_CHANCE = {
    *(("datetime", name) for name in ("now", "utcnow", "today")),
    ("date", "today"),
    ("time", "time"),
    *(("uuid", name) for name in ("uuid1", "uuid4")),
}
KNOWS_TIME_AND_CHANCE = {"app.py", "cli.py", "keeping.py", "commands/common.py"}


def modules(package: Path) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(package.rglob("*.py")):
        yield path.relative_to(package).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield "." * node.level
            elif node.module == "cds_service":
                yield from (f"cds_service.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module


def import_faults(package: Path) -> list[str]:
    """Every import that the contract does not allow, as "module imports name"."""
    return [
        f"{name} imports {wanted}"
        for name, tree in modules(package)
        for wanted in imported(tree)
        if not allowed(name, wanted)
    ]


def allowed(module: str, wanted: str) -> bool:
    layer = module.split("/")[0] if "/" in module else None
    first, _, rest = wanted.partition(".")
    if not first:
        return False  # relative
    if layer in {None, "commands"}:
        packages = COMMANDS if layer else ROOT[module.removesuffix(".py")]
        return first in {"cds_service", *packages} or first in sys.stdlib_module_names
    layers, packages = MAY_IMPORT[layer]
    if first == "cds_service":
        return rest.split(".")[0] in {layer, *layers} or rest == "__version__"
    if first in sys.stdlib_module_names:
        return layer != "calcinosis" or first in CORE_STDLIB
    besides = BESIDES.get(module, set()).union(
        *(more for start, more in BESIDES_IN.items() if module.startswith(start))
    )
    return first in packages | besides


def world_faults(package: Path) -> list[str]:
    """Every place that reads the environment, the clock or chance outside the modules that may."""
    faults = []
    for name, tree in modules(package):
        for node in ast.walk(tree):
            touched = touches(node)
            if touched == "environment" and name not in READS_ENVIRONMENT:
                faults.append(f"{name}:{node.lineno} reads the environment")  # type: ignore[attr-defined]
            if touched == "clock or chance" and name not in KNOWS_TIME_AND_CHANCE:
                faults.append(f"{name}:{node.lineno} asks the clock or chance")  # type: ignore[attr-defined]
    return faults


def touches(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        if (
            node.attr in {"environ", "getenv", "environb"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ):
            return "environment"
        owner = getattr(node.value, "id", None) or getattr(node.value, "attr", None)
        if (owner, node.attr) in CLOCKS_AND_CHANCE:
            return "clock or chance"
    if isinstance(node, ast.ImportFrom) and node.module in {"os", "uuid", "random", "secrets"}:
        if {alias.name for alias in node.names} & {"environ", "getenv"}:
            return "environment"
        if node.module in {"uuid", "random", "secrets"}:
            return "clock or chance"
    if isinstance(node, ast.Import) and {alias.name for alias in node.names} & {"random", "secrets"}:
        return "clock or chance"
    return None


def planted(folder: Path, module: str, line: str) -> Path:
    """A tree with a copy of one module of the package, and the line behind its end."""
    copy = folder / "cds_service" / module
    copy.parent.mkdir(parents=True)
    copy.write_text((PACKAGE / module).read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    return folder / "cds_service"


def test_every_layer_imports_only_what_lies_below() -> None:
    assert import_faults(PACKAGE) == []


def test_every_package_of_the_tree_is_in_the_contract() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders <= {"commands", *MAY_IMPORT}
    assert {path.stem for path in PACKAGE.glob("*.py")} <= set(ROOT)


def test_environment_clock_and_chance_are_asked_at_the_edge_only() -> None:
    assert world_faults(PACKAGE) == []


def test_only_the_last_handler_catches_everything() -> None:
    caught = [
        name
        for name, tree in modules(PACKAGE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or any(isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"} for n in ast.walk(node.type))
        )
    ]
    assert caught == ["hooks/errors.py"]


@pytest.mark.parametrize(
    ("module", "line", "fault"),
    [
        ("calcinosis/tier.py", "import json", "calcinosis/tier.py imports json"),
        (
            "calcinosis/tier.py",
            "from cds_service.terminology import catalog",
            "calcinosis/tier.py imports cds_service.terminology",
        ),
        ("terminology/codes.py", "import msgspec", "terminology/codes.py imports msgspec"),
        ("fhir/gather.py", "import requests", "fhir/gather.py imports requests"),
        ("fhir/gather.py", "import cds_service.hooks.cards", "fhir/gather.py imports cds_service.hooks.cards"),
        ("interchange/rows.py", "import requests", "interchange/rows.py imports requests"),
        ("interchange/rows.py", "import fhir.resources", "interchange/rows.py imports fhir.resources"),
        (
            "interchange/rows.py",
            "import cds_service.fhir.client",
            "interchange/rows.py imports cds_service.fhir.client",
        ),
        (
            "hooks/decide.py",
            "from cds_service.interchange import expansion",
            "hooks/decide.py imports cds_service.interchange",
        ),
        ("storage/journal.py", "import cds_service.fhir.record", "storage/journal.py imports cds_service.fhir.record"),
        ("storage/journal.py", "import alembic", "storage/journal.py imports alembic"),
        ("hooks/cards.py", "from flask import request", "hooks/cards.py imports flask"),
        ("hooks/request.py", "from fhir.resources.R4B import bundle", "hooks/request.py imports fhir.resources.R4B"),
        ("hooks/decide.py", "from . import cards", "hooks/decide.py imports ."),
        ("hooks/decide.py", "from cds_service import settings", "hooks/decide.py imports cds_service.settings"),
        ("settings.py", "import flask", "settings.py imports flask"),
        ("hooks/decide.py", "from cds_service.pages import site", "hooks/decide.py imports cds_service.pages"),
        ("pages/render.py", "import cds_service.settings", "pages/render.py imports cds_service.settings"),
        ("pages/render.py", "import requests", "pages/render.py imports requests"),
    ],
)
def test_a_planted_import_is_noticed(tmp_path: Path, module: str, line: str, fault: str) -> None:
    assert import_faults(planted(tmp_path, module, line)) == [fault]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("import os\nos.environ", "reads the environment"),
        ("from os import environ", "reads the environment"),
        ("import datetime\ndatetime.datetime.now()", "asks the clock or chance"),
        ("from uuid import uuid4", "asks the clock or chance"),
        ("import uuid\nuuid.uuid4()", "asks the clock or chance"),
    ],
)
def test_a_planted_look_outside_is_noticed(tmp_path: Path, line: str, fault: str) -> None:
    found = world_faults(planted(tmp_path, "hooks/decide.py", line))
    assert [each.partition(" ")[2] for each in found] == [fault]
