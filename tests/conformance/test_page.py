"""docs/conformance.md tells the truth: each requirement is tested or excused with a reason, and the page is current."""

import re

from docs import conformance_page as page

ROWS = page.requirements()
KNOWN = page.exceptions()
HELD = page.tests()


def test_the_page_of_conformance_is_current() -> None:
    assert page.PAGE.read_text("utf-8") == page.page(), "write it again: python -m docs.conformance_page"


def test_the_requirements_are_numbered_without_gap_and_have_a_strength() -> None:
    for kind, last in (("CH", 144), ("RB", 37)):
        assert [each.id for each in ROWS if each.id.startswith(kind)] == [f"{kind}-{n:02}" for n in range(1, last + 1)]
    assert {each.strength for each in ROWS} == set(page.STRENGTHS)
    assert all(re.fullmatch(r"\S.{10,250}", each.text) for each in ROWS)


def test_every_requirement_is_tested_or_excused_with_a_reason() -> None:
    assert [each.id for each in ROWS if page.state_of(each, KNOWN, HELD) == page.OPEN] == []
    assert all(each.reason.endswith(".") and each.state in page.STATES[1:5] for each in KNOWN.values())


def test_no_excuse_and_no_test_is_about_a_requirement_that_does_not_exist() -> None:
    assert (set(KNOWN) | set(HELD)) - {each.id for each in ROWS} == set()


def test_every_test_of_another_name_exists() -> None:
    assert {name for names in page.held_by().values() for name in names} - set(page.names()) == set()


def test_what_is_tested_in_full_needs_no_excuse() -> None:
    in_full = ("not applicable", "elsewhere", "not yet")
    assert [name for name, each in KNOWN.items() if each.state in in_full and name in HELD] == []


def test_ids_are_read_from_the_names_of_tests() -> None:
    assert list(page.ids_of("test_ch_37_without_anything")) == ["CH-37"]
    assert list(page.ids_of("test_ch_38_39_rb_02_null")) == ["CH-38", "CH-39", "RB-02"]
    assert list(page.ids_of("test_rbc_1_something")) == []
