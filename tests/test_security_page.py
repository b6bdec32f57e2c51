"""docs/security.md names tests that exist, and every attack that is tried stands there."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+|\*)`", PAGE)
# what is tried for no other reason than to be on that page
ATTACKS = ("trust/test_attacks.py", "trust/test_http_attacks.py", "trust/test_slow_clients.py")


def in_file(file: str) -> set[str]:
    """The names of the tests of a file."""
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_every_test_that_the_page_names_exists() -> None:
    assert len(NAMED) > 60
    missing = [f"{file}::{name}" for file, name in NAMED if name not in in_file(file) | {"*"} or not in_file(file)]
    assert missing == []


def test_every_attack_that_is_tried_stands_on_the_page() -> None:
    for file in ATTACKS:
        assert in_file(file) - {name for where, name in NAMED if where == file} == set()


def test_every_row_of_the_table_names_a_test() -> None:
    rows = PAGE.partition("## Attacks tried")[2].splitlines()
    bare = [row for row in rows if row.startswith("| ") and "::" not in row]
    assert bare == ["| attack | what happens | test |"]
