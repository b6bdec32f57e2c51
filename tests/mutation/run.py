"""Try the tests of the medicine: change one comparison, number or word of a rule at a time, and see a test fail.

`python -m tests.mutation.run core|content [part of a module's or function's name ...]`. mutmut makes the mutants,
tests/mutation/trial.py tries them, in build/mutation/, so that files may be edited meanwhile. Run again, it tries what
is new and what changed; AGAIN=1: what survived, too; SECONDS=30: it stops after that much processor time.
docs/mutation.md tells what was found.
"""

import ast
import difflib
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
# By name: the folder of rules that is changed, and the tests that must notice.
KINDS = {
    "core": (
        "cds_service/calcinosis",
        "tests/scenarios/test_scenarios.py tests/calcinosis/test_names.py tests/calcinosis/test_pathway.py "
        "tests/calcinosis/test_lists.py tests/calcinosis/test_ranges.py",
    ),
    "content": ("cds_service/terminology", "tests/terminology"),
}
COPIED = ("cds_service", "tests", "mappings", "examples", "docs")
PYTEST = "-q -s --tb=native --assert=plain -p no:cacheprovider -p no:xdist -p no:logging -p no:schemathesis -p no:cov"
# Left out: tests of the rows rather than of the reading, by Pint, and those that start a Python of their own.
LEFT_OUT = (
    "tests/terminology/test_units.py::test_every_factor_agrees_with_pint_and_the_molar_masses",
    "tests/terminology/test_units.py::test_every_spelling_accepted_as_ucum_is_read_by_a_ucum_parser",
    "tests/terminology/test_shipped.py::test_loading_takes_less_than_a_quarter_of_a_second",
    "tests/terminology/test_shipped.py::test_terminology_needs_nothing_but_the_standard_library",
)
# all that these tests need of tests/conftest.py, without the service
CONFTEST = """
import pytest

from cds_service.terminology.load import load_catalog


@pytest.fixture(scope="session")
def catalog():
    return load_catalog()
"""


def without_properties(source: str) -> str:
    """Write `@property def name` as `def _of_name` and `name = property(_of_name)`: the same to Python.

    mutmut leaves alone what has a decorator.
    """
    lines = source.splitlines(keepends=True)
    functions = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.FunctionDef)]
    for node in sorted(functions, key=lambda each: -each.lineno):
        names = [each.id for each in node.decorator_list if isinstance(each, ast.Name)]
        if len(node.decorator_list) == 1 and names in (["property"], ["cached_property"]):
            line = f"\n{' ' * node.col_offset}{node.name} = {names[0]}(_of_{node.name})\n"
            lines.insert(node.end_lineno or node.lineno, line)
            lines[node.lineno - 1] = lines[node.lineno - 1].replace(f"def {node.name}(", f"def _of_{node.name}(")
            del lines[node.decorator_list[0].lineno - 1]
    return "".join(lines)


def prepare(folder: Path, rules: str) -> dict[str, str]:
    """Bring the copy up to date; return by mutant a digest of the function that it changes."""
    digests: dict[str, str] = {}
    for path in (path for name in COPIED for path in (ROOT / name).rglob("*")):
        target = folder / path.relative_to(ROOT)
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        if path.suffix == ".py" and path.parent == ROOT / rules:
            digests |= _changed_rules(path, target)
        elif path != ROOT / "tests" / "conftest.py" and (
            not target.exists() or target.read_bytes() != path.read_bytes()
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    (folder / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (folder / "tests" / "conftest.py").write_text(CONFTEST)
    return digests


def _changed_rules(path: Path, target: Path) -> dict[str, str]:
    """Write a module with all its mutants; one that was written from the same source is kept."""
    from mutmut.mutation.file_mutation import mutate_file_contents

    source = without_properties(path.read_text(encoding="utf-8"))
    known = target.with_suffix(".json")
    digest = hashlib.sha256(source.encode()).hexdigest()
    if known.exists() and (kept := json.loads(known.read_text()))["digest"] == digest:
        return dict(kept["mutants"])
    target.parent.mkdir(parents=True, exist_ok=True)
    made = mutate_file_contents(str(path), source)
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    of_function = made.hash_by_function_name
    mutants = {f"{module}.{name}": of_function[name.partition("__mutmut_")[0]] for name in made.mutant_names}
    target.write_text(made.code, encoding="utf-8")
    known.write_text(json.dumps({"digest": digest, "mutants": mutants}))
    return mutants


def _state(digests: dict[str, str], folder: Path) -> str:
    """Return a digest of rules, tests and content together."""
    paths = sorted(
        path for name in ("tests", "mappings") for path in (folder / name).rglob("*.*") if path.suffix != ".pyc"
    )
    parts = [json.dumps(digests).encode(), *(path.read_bytes() for path in paths)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def difference(folder: Path, mutant: str) -> list[str]:
    """Return the changed lines of a mutant."""
    module, _, name = mutant.rpartition(".")
    functions = _functions(folder / Path(*module.split(".")).with_suffix(".py"))
    original = f"{name.partition('__mutmut_')[0]}__mutmut_orig"
    before, after = (ast.unparse(functions[each]).splitlines()[1:] for each in (original, name))
    return [
        line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line[:2] not in ("--", "++", "@@")
    ]


@cache
def _functions(path: Path) -> dict[str, ast.FunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def report(folder: Path, verdicts: dict[str, list[str]]) -> None:
    """Print how many were killed, by module, and every mutant that was not."""
    for mutant in sorted(name for name, (verdict, *_) in verdicts.items() if verdict != "killed"):
        print(f"## {mutant}: {verdicts[mutant][0]}", *difference(folder, mutant), sep="\n")
    counts = Counter((name.split(".")[2], verdict) for name, (verdict, *_) in verdicts.items())
    for module in sorted({module for module, _ in counts}):
        told = (f"{counts[module, each]} {each}" for each in ("killed", "survived", "timeout", "no test"))
        print(f"{module}: {', '.join(told)}")


def main() -> int:
    """Make the mutants, try them, report."""
    kind, *parts = sys.argv[1:]
    rules, tests = KINDS[kind]
    tests = os.environ.get("TESTS", tests)
    folder = ROOT / "build" / "mutation" / kind
    digests = prepare(folder, rules)
    wanted = {name: digest for name, digest in digests.items() if not parts or any(part in name for part in parts)}
    (folder / "mutants.json").write_text(json.dumps(wanted))
    options = [*PYTEST.split(), "-p", "tests.mutation.trial", *(f"--deselect={each}" for each in LEFT_OUT)]
    command = [sys.executable, "-m", "pytest", *options, *tests.split()]
    env = {**os.environ, "TEARDOWN": kind, "STATE": _state(digests, folder) + tests}
    done = subprocess.run(command, cwd=folder, check=False, env=env)  # noqa: S603
    found = json.loads((folder / "verdicts.json").read_text())
    tried = {name: found[name] for name in wanted if name in found}
    print(f"{len(tried)} of {len(wanted)} mutants tried")
    if len(tried) == len(wanted) or os.environ.get("REPORT"):
        report(folder, tried)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
