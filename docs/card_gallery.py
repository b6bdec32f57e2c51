"""Write docs/cards.md, all cards of the samples for clinicians to review: `python -m docs.card_gallery`.

The cards are those of examples/*/response.json, which tests/test_examples.py holds to what the service answers.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cards.md"
EXAMPLES = ROOT / "examples"
HEAD = """# Cards

For clinicians to review and sign; written from the samples by `python -m docs.card_gallery`. All patients are made up.
Each card stands as a client draws its Markdown; a client may fold the text away behind the first line. What each rule
says stands in [knowledge.md](knowledge.md), what the tiers mean in [clinical.md](clinical.md).

How to review: read the card as if you met it in a chart. Is the first line true, and enough to decide whether to read
on? Is the tier right? Would you act wrongly on any sentence? Is anything named that is not there, or left out that is?
Tick, or write what is wrong.
"""
TITLES = {
    "order": ("Orders", "Cards about a draft order, by the topic of the rule."),
    "critical": ("Critical", "Meant to be seen at once; a client may interrupt for it."),
    "warning": ("Warning", "To be seen in this encounter."),
    "info": ("Information", "May be read later; also what cannot be judged, which is not the same as normal."),
    "none": ("No card", "Looked, nothing to show. This is not a statement that there is no risk."),
}
SIGN = (
    "| first line | tier | text | advice | reviewer, date |",
    "|---|---|---|---|---|",
    "| [ ] right | [ ] right | [ ] right | [ ] right | |",
)


class Case(NamedTuple):
    """One sample: what it shows, its call and its answer."""

    name: str
    line: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def group(self) -> str:
        """The part of the page where it stands."""
        if str(self.request["hook"]).startswith("order-") and self.cards:
            return "order"
        return str(self.cards[0]["indicator"]) if self.cards else "none"

    @property
    def cards(self) -> list[dict[str, Any]]:
        cards: list[dict[str, Any]] = self.response.get("cards", [])
        return cards


def cases(pattern: str) -> list[Case]:
    """The samples whose request.json fits the pattern, by name."""
    return [_case(path.parent) for path in sorted(EXAMPLES.glob(pattern))]


def page() -> str:
    """The whole page."""
    samples = cases("*/request.json")
    lines = [HEAD, *_contents(samples)]
    for group, (title, meaning) in TITLES.items():
        found = sorted(
            (each for each in samples if each.group == group), key=_by_topic if group == "order" else _by_name
        )
        if found:
            lines += ["", f"## {title}", "", meaning]
        for case in found:
            lines += ["", f"### {case.name}", "", f"{case.line} ([call](../examples/{case.name}/request.json))"]
            for card in case.cards:
                lines += ["", *_drawn(card), "", *SIGN]
    lines += ["", "## Failures", "", "No card and no empty answer: the client is told what lacks or what was wrong."]
    for case in cases("failures/*/request.json"):
        lines += ["", f"### {case.name}", "", case.line, "", f"> {case.response['issue'][0]['diagnostics']}"]
    return "\n".join(lines) + "\n"


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8", newline="\n")


def _case(folder: Path) -> Case:
    line = (folder / "README.md").read_text("utf-8").split("\n\n", 1)[1].strip().replace("\n", " ")
    request, response = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("request", "response"))
    return Case(folder.name, line, request, response)


def _by_name(case: Case) -> tuple[str, str]:
    return "", case.name


def _by_topic(case: Case) -> tuple[str, str]:
    return case.cards[0]["source"]["topic"]["code"], case.name


def _contents(samples: list[Case]) -> Iterator[str]:
    yield "| part | samples |"
    yield "|---|---|"
    for group, (title, _) in TITLES.items():
        number = sum(each.group == group for each in samples)
        if number:
            yield f"| [{title}](#{title.lower().replace(' ', '-')}) | {number} |"
    yield f"| [Failures](#failures) | {len(cases('failures/*/request.json'))} |"


def _drawn(card: dict[str, Any]) -> Iterator[str]:
    """The card as a quotation: first line, text, then what stands below it."""
    topic = card["source"]["topic"]
    below = [f"Source: {card['source']['label']}. Topic: {topic['display']} ({topic['code']})."]
    offered = [suggestion["label"] for suggestion in card.get("suggestions", ())]
    if offered:
        below.append(f"Offers: {'; '.join(offered)}.")
    if "overrideReasons" in card:
        below.append(f"May be dismissed because: {'; '.join(each['display'] for each in card['overrideReasons'])}.")
    told = f"**{card['indicator'].upper()}: {card['summary']}**\n\n{card['detail']}\n\n---\n\n" + "\n\n".join(below)
    for line in told.split("\n"):
        yield f"> {line}".rstrip()


if __name__ == "__main__":
    main()
    print(f"wrote {PAGE.relative_to(ROOT)}")
