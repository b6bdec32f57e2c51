"""Cards and responses as plain text: for a terminal, 80 columns wide, and for clients that draw no Markdown.

Knows: the Markdown that our own cards are written in (paragraphs, bold titles, bullets, one table).
Must not know: how a card came about; it reads the JSON of a response only.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

WIDTH = 80
ASSESSMENT = "org.calcinosis-cds.assessment"
NOTHING = "No card: looked, nothing to show. This is not a statement about the absence of risk."

_RULER = re.compile(r"\|[ :|-]+\|")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def card_as_text(card: Mapping[str, object]) -> str:
    """Return one card as a box of 80 columns."""
    indicator = _text(card.get("indicator")).upper() or "CARD"
    lines = [*_wrapped(_text(card.get("summary"))), ""]
    for line in plain_lines(_text(card.get("detail"))):
        lines += _wrapped(line) if line else [""]
    source = _mapping(card.get("source"))
    for title, found in (("OFFERED", _offered(card)), ("MAY BE DISMISSED BECAUSE", _dismissals(card))):
        if found:
            lines += ["", title, ""]
            lines += [line for each in found for line in _wrapped(f"- {each}")]
    lines += ["", *_wrapped(f"Source: {_text(source.get('label'))}")]
    lines += _wrapped(_text(source.get("url")))
    return _box(indicator, lines)


def _offered(card: Mapping[str, object]) -> list[str]:
    """What may be taken over: the label of each suggestion, with its actions where they say more."""
    told = []
    for suggestion in map(_mapping, _sequence(card.get("suggestions"))):
        label = _text(suggestion.get("label"))
        actions = [_text(_mapping(each).get("description")) for each in _sequence(suggestion.get("actions"))]
        more = "; ".join(each for each in actions if each and each != label)
        told.append(f"{label}: {more}" if more else label)
    return told


def _dismissals(card: Mapping[str, object]) -> list[str]:
    return [_text(_mapping(each).get("display")) for each in _sequence(card.get("overrideReasons"))]


def response_as_text(response: Mapping[str, object]) -> str:
    """Return all cards of a response, or that there is none, and the assessment in short when it is there."""
    if response.get("resourceType") == "OperationOutcome":
        return "\n".join(_outcome(response))
    cards = _sequence(response.get("cards"))
    parts = [card_as_text(_mapping(card)) for card in cards] or [NOTHING]
    assessment = _mapping(_mapping(response.get("extension")).get(ASSESSMENT))
    if assessment:
        parts.append("\n".join(_assessed(assessment)))
    return "\n\n".join(parts)


def _assessed(a: Mapping[str, object]) -> Iterator[str]:
    yield f"Assessment of {_text(a.get('evaluatedAt'))}"
    product = _mapping(a.get("product"))
    told = "none"
    if product:
        told = (
            f"{_text(product.get('value'))} mg2/dL2 ({_text(product.get('bound'))}, {_text(product.get('freshness'))})"
        )
    on_orders = a.get("orderTier") is not None
    facts = {
        **({"order tier": _text(a.get("orderTier"))} if on_orders else {}),
        **({"orders": _names(a.get("orders"), "reference", "rule") or "no rule speaks of them"} if on_orders else {}),
        **({"not judged": _names(a.get("ordersNotJudged"), "reference", "reason")} if on_orders else {}),
        "tier": _text(a.get("tier")),
        "product": told,
        "pathway": _text(a.get("riskPathway")),
        "documented": _text(a.get("documentedType")),
        "causes": _names(a.get("causes"), "id", "basis"),
        "gaps": _names(a.get("gaps"), "analyte", "reason"),
        "flags": ", ".join(_text(flag) for flag in _sequence(a.get("flags"))),
        "confidence": _text(a.get("confidence")),
        "rules": ", ".join(_text(rule) for rule in _sequence(a.get("rules"))),
    }
    for name, words in facts.items():
        yield from textwrap.wrap(
            f"  {name + ':':<12} {words or 'none'}", WIDTH, subsequent_indent=" " * 15, break_on_hyphens=False
        )


def _names(items: object, name: str, remark: str) -> str:
    found = [_mapping(item) for item in _sequence(items)]
    return ", ".join(f"{_text(item.get(name))} ({_text(item.get(remark))})" for item in found)


def _outcome(outcome: Mapping[str, object]) -> Iterator[str]:
    for issue in _sequence(outcome.get("issue")):
        found = _mapping(issue)
        yield from textwrap.wrap(
            f"{_text(found.get('severity'))}: {_text(found.get('diagnostics')) or _text(found.get('code'))}", WIDTH
        )


def plain_lines(detail: str) -> Iterator[str]:
    """Return the Markdown of a card as lines of text: a title in capitals, a row of a table as a bullet."""
    lines = detail.split("\n")
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if _RULER.fullmatch(line):
            continue
        if line.startswith("| "):
            first, *others = (cell.strip() for cell in line.strip("|").split("|"))
            told = f"{first}: {'; '.join(cell for cell in others if cell)}"
            yield told if _RULER.fullmatch(below) else f"- {told}"
        elif line.startswith("**") and line.endswith("**"):
            yield line.strip("*").upper()
        else:
            yield line


def _wrapped(text: str) -> list[str]:
    indent = "  " if text.startswith("- ") else ""
    return textwrap.wrap(text, WIDTH - 4, subsequent_indent=indent, break_on_hyphens=False)


def _box(title: str, lines: Sequence[str]) -> str:
    ruled = f"+-- {title} ".ljust(WIDTH - 1, "-") + "+"
    return "\n".join([ruled, *(f"| {line.ljust(WIDTH - 4)} |" for line in lines), "+" + "-" * (WIDTH - 2) + "+"])


def _text(value: object) -> str:
    """Return a value as text without control characters, so that chart text cannot drive a terminal."""
    return "" if value is None else _CONTROL.sub("?", str(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
