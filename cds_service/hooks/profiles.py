"""The dialects of clients: how a card is shaped for an EHR that shows or takes less than CDS Hooks 2.0 allows.

Knows: what each kind of client reads of a card, and from where we know it (docs/integration.md).
Must not know: anything clinical. No finding, number, rule or gap may get lost here: tests/hooks/test_profiles.py holds
that for every example and every profile.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.hooks.plain import plain_lines
from cds_service.hooks.suggestions import Suggestion

Json = dict[str, Any]

EPIC_CONTENT_TYPE = "com.epic.cdshooks.card.detail.content-type"
EPIC_PREFERENCE_LIST = "urn:com.epic.cdshooks.action.code.system.preference-list-item"
LONGEST_TOPIC = 100
# Source: CDS Hooks 1.0, "Card Attributes", "Source", "Suggestion"
_CARD_1_0 = ("summary", "detail", "indicator", "source", "suggestions", "selectionBehavior", "links", "extension")
_SOURCE_1_0 = ("label", "url", "icon")
_SUGGESTION_1_0 = ("label", "uuid", "actions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a kind of client needs. The defaults are a client of CDS Hooks 2.0 that takes all of it.

    one_action: it takes one action of a suggestion. selection: the only selectionBehavior it takes.
    shows_labels: whether labels of suggestions and links are shown; if not, descriptions and text carry them.
    keeps_links: whether every link is shown; if not, the addresses stand in the text too.
    launches: whether smart links work; if not, they are left out. plain_text: write the detail without Markdown.
    content_type: value of Epic's card extension. preference_list: name tests by the keys of Epic's preference list.
    alphanumeric_topics: topic codes of letters and digits only. version_1: only what CDS Hooks 1.0 knows.
    """

    name: str
    title: str
    one_action: bool = False
    selection: str | None = None
    shows_labels: bool = True
    keeps_links: bool = True
    launches: bool = True
    plain_text: bool = False
    content_type: str | None = None
    preference_list: bool = False
    alphanumeric_topics: bool = False
    version_1: bool = False


GENERIC = Profile(name="generic", title="Any client of CDS Hooks 2.0")
_EPIC: Mapping[str, Any] = {
    "one_action": True,
    "selection": "any",
    "shows_labels": False,
    "preference_list": True,
    "alphanumeric_topics": True,
}
PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        GENERIC,
        Profile(name="epic", title="Epic", content_type="text/markdown", **_EPIC),
        Profile(name="epic-plain-text", title="Epic, text only", content_type="text/plain", plain_text=True, **_EPIC),
        Profile(name="oracle", title="Oracle Health", selection="at-most-one", keeps_links=False, version_1=True),
        Profile(name="athena", title="athenahealth", keeps_links=False, launches=False, plain_text=True),
        Profile(name="medplum", title="Medplum"),
        Profile(name="sandbox", title="CDS Hooks Sandbox", launches=False),
        Profile(name="cds-hooks-1.0", title="Clients of CDS Hooks 1.0", selection="at-most-one", version_1=True),
    )
}


def shaped(card: Mapping[str, Any], profile: Profile) -> Json:
    """Return a card, given as its JSON, in the client's dialect."""
    made = dict(card)
    if profile is GENERIC:
        return made
    links = [link for link in made.pop("links", ()) if profile.launches or link["type"] != "smart"]
    if links:
        made["links"] = links
    if "detail" in made:
        made["detail"] = _detail(made, profile)
    if profile.content_type:
        made["extension"] = {EPIC_CONTENT_TYPE: profile.content_type, **made.get("extension", {})}
    if "suggestions" in made:
        made["suggestions"] = [each for suggestion in made["suggestions"] for each in _suggestions(suggestion, profile)]
        made["selectionBehavior"] = profile.selection or made["selectionBehavior"]
    if profile.alphanumeric_topics and "topic" in made["source"]:
        topic = made["source"]["topic"]
        made["source"] = {**made["source"], "topic": {**topic, "code": topic_code(topic["code"])}}
    return _version_1(made) if profile.version_1 else made


def topic_code(code: str) -> str:
    """Return the letters and digits of a code, for Epic remembers an acknowledgement by nothing else."""
    return "".join(sign for sign in code if sign.isascii() and sign.isalnum())[:LONGEST_TOPIC]


def _detail(card: Mapping[str, Any], profile: Profile) -> str:
    """The text, with the addresses that the client may not show; the limits of use stay its last words."""
    detail: str = card["detail"]
    links = card.get("links", ()) if not (profile.keeps_links and profile.shows_labels) else ()
    unsaid = [link for link in links if link["type"] == "absolute" and link["url"] not in detail]
    if unsaid:
        before, _, last = detail.rpartition("\n\n")
        told = "\n".join(f"- {link['label']}: {link['url']}" for link in unsaid)
        detail = "\n\n".join(part for part in (before, f"**Links**\n\n{told}", last) if part)
    return "\n".join(plain_lines(detail)) if profile.plain_text else detail


def _suggestions(suggestion: Mapping[str, Any], profile: Profile) -> Iterator[Json]:
    """The suggestion, or one for each of its actions; none of ours replaces an order, so each makes sense alone."""
    actions = [_action(action, suggestion["label"], profile) for action in suggestion.get("actions", ())]
    if not profile.one_action or len(actions) < 2:
        yield {**suggestion, "actions": actions} if actions else dict(suggestion)
        return
    for number, action in enumerate(actions):
        part: Json = {**suggestion, "label": action["description"], "actions": [action]}
        if "uuid" in suggestion:
            part["uuid"] = _part_id(suggestion["uuid"], number)
        yield part


def sent_ids(suggestions: Iterable[Suggestion], profile: Profile) -> tuple[str, ...]:
    """Return the ids under which the client gets these suggestions, and under which it reports one as accepted."""
    return tuple(
        _part_id(suggestion.uuid, number)
        for suggestion in suggestions
        for number in range(max(len(suggestion.actions), 1) if profile.one_action else 1)
    )


def _part_id(whole: str, number: int) -> str:
    """The id of a part of a suggestion; the first part keeps that of the whole."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:uuid:{whole}:{number}")) if number else whole


def _action(action: Mapping[str, Any], label: str, profile: Profile) -> Json:
    made = dict(action)
    if not profile.shows_labels and label.casefold() not in made["description"].casefold():
        made["description"] = f"{label}: {made['description']}"
    if profile.preference_list and made["type"] == "create" and "code" in made.get("resource", {}):
        code = made["resource"]["code"]
        made["resource"] = {**made["resource"], "code": {**code, "coding": _preferred(code.get("coding", ()))}}
    return made


def _preferred(codings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The codings, each with the key that the site gives to the test on its preference list: the same code."""
    both = list(codings)
    return [{"system": EPIC_PREFERENCE_LIST, "code": coding["code"]} for coding in both] + both


def _version_1(card: Mapping[str, Any]) -> Json:
    """The card without what came with CDS Hooks 2.0; a delete names its resource as 1.0 does."""
    made = _only(card, _CARD_1_0)
    made["source"] = _only(made["source"], _SOURCE_1_0)
    if "suggestions" in made:
        made["suggestions"] = [
            {**_only(each, _SUGGESTION_1_0), "actions": [_action_1_0(action) for action in each.get("actions", ())]}
            for each in made["suggestions"]
        ]
    return made


def _action_1_0(action: Mapping[str, Any]) -> Json:
    return {("resource" if name == "resourceId" else name): value for name, value in action.items()}


def _only(members: Mapping[str, Any], names: Iterable[str]) -> Json:
    return {name: members[name] for name in names if name in members}
