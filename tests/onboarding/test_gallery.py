"""docs/cards.md shows what the service answers, and the failures are what they say."""

import json
import re
from pathlib import Path

import pytest
from fhir.resources.R4B.operationoutcome import OperationOutcome

from docs import card_gallery
from examples.regenerate import HERE, examples, failures, refuse

PAGE = card_gallery.PAGE.read_text("utf-8")


def test_the_gallery_is_current() -> None:
    assert card_gallery.page() == PAGE, "write it again: python -m docs.card_gallery"


def test_every_sample_stands_in_the_gallery_once_with_its_whole_card() -> None:
    quoted = "\n".join(line.removeprefix(">").removeprefix(" ") for line in PAGE.split("\n"))
    for example in examples():
        assert PAGE.count(f"\n### {example.name}\n") == 1
        for card in json.loads((example / "response.json").read_text("utf-8"))["cards"]:
            assert card["summary"] in quoted
            assert card["detail"] in quoted


def test_every_card_can_be_signed() -> None:
    cards = sum(len(json.loads((each / "response.json").read_text("utf-8"))["cards"]) for each in examples())
    assert PAGE.count("\n".join(card_gallery.SIGN)) == cards > 25


@pytest.mark.parametrize("failure", failures(), ids=lambda path: path.name)
def test_a_failure_is_answered_as_written(failure: Path) -> None:
    status, body = refuse(failure)
    assert body == json.loads((failure / "response.json").read_text("utf-8")), "run examples/regenerate.py"
    assert str(status) == failure.name.partition("-")[0]
    OperationOutcome.model_validate(body)
    assert "cards" not in body


def test_every_failure_is_in_the_table_of_the_samples() -> None:
    told = re.findall(r"^\| \[([\w-]+)\]\(failures/\1/\) \| .+ \|$", (HERE / "README.md").read_text("utf-8"), re.M)
    assert told == [failure.name for failure in failures()]
    assert {name.partition("-")[0] for name in told} == {"400", "412"}
