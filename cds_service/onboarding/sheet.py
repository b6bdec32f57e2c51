"""What a site's analyst types into the EHR to connect it, from the same source as the discovery document.

Knows: services, profiles, the words and addresses that cards may hold, what is known of each kind of EHR.
Must not know: how the sheet is printed (printed.py), patients.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.fhir.gather import MEDICATIONS
from cds_service.hooks.cards import OVERRIDE_REASONS, address_of, label_of
from cds_service.hooks.profiles import EPIC_PREFERENCE_LIST, PROFILES, topic_code
from cds_service.hooks.services import Service
from cds_service.hooks.wording.orders import ORDER_TOPICS, PANELS
from cds_service.hooks.wording.rules import RULES, TOPICS
from cds_service.onboarding.ehrs import Ehr, known_ehrs
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.codes import LOINC

LONGEST_FHIR_ID = 64
SAMPLE = "examples/dialysis-rising-trend/request.json"
# beside the time for reads: the way to the service and back, and its own work
_MARGIN_S = 2


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the sheet. columns: heads of the rows, none for a list of points; code: columns to be copied.

    A cell may have several lines.
    """

    title: str
    intro: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    code: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the service is set to.

    base: its public address without slash at the end. pages: whether cards link to its own pages. launched: whether
    EHRs launch one of them.
    """

    base: str
    algorithms: Sequence[str]
    fhir_timeout_s: float
    pages: bool = False
    launched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that is typed in for one EHR. checks: what to tick off; commands: lines for a terminal."""

    ehr: Ehr
    profile: str
    base: str
    content_version: str
    sections: tuple[Section, ...]
    checks: tuple[str, ...]
    commands: tuple[str, ...]


def sheet(name: str, catalog: Catalog, offered: Sequence[Service], terms: Terms) -> Sheet:
    """The sheet for a kind of EHR (a name of ehrs.toml, which is the name of its profile too)."""
    ehrs, filters = known_ehrs()
    ehr, profile = ehrs[name], PROFILES[name]
    fired = [service for service in offered if ehr.fires(service.hook)]
    sections = [
        _addresses(fired, terms, ehr),
        Section("About this client", "", (), tuple((note,) for note in ehr.notes)),
        _scopes(fired, ehr),
        _token(fired, terms, ehr),
        _overrides(),
        _links(catalog, terms),
        Section("Filters before the call", filters.intro, ("filter", "whom it leaves without a card"), filters.rows),
    ]
    if ehr.prefetch:
        sections.insert(2, _prefetch(fired))
    if not profile.version_1:
        sections.insert(-2, _topics(alphanumeric=profile.alphanumeric_topics))
    if profile.preference_list:
        sections.insert(-2, _preference_list(catalog))
    return Sheet(
        ehr=ehr,
        profile=name,
        base=terms.base,
        content_version=catalog.version,
        sections=tuple(sections),
        checks=tuple(dict.fromkeys((*ehr.checks, *ehrs["generic"].checks))),
        commands=tuple(_commands(fired, terms.base)),
    )


def scopes_of(query: str) -> tuple[str, str]:
    """The SMART 1 and SMART 2 scope that a prefetch query needs: a read of one resource, or a search."""
    kind, is_read, _ = query.partition("?")[0].partition("/")
    return f"patient/{kind}.read", f"patient/{kind}.{'r' if is_read else 'rs'}"


def filled_length(query: str) -> int:
    """The characters of a template with an id as long as FHIR lets it be."""
    longest = "x" * LONGEST_FHIR_ID
    return len(query.replace("{{context.patientId}}", longest).replace("{{context.encounterId}}", longest))


def _addresses(fired: Sequence[Service], terms: Terms, ehr: Ehr) -> Section:
    base = f"{terms.base}/cds-services"
    rows = [("discovery", "GET", base, "Not every EHR asks for it; this sheet says the same.")]
    for service in fired:
        rows.append((service.title, service.hook, f"{base}/{service.id}", f"Service id {service.id}."))
        if ehr.feedback:
            rows.append(("its feedback", "POST", f"{base}/{service.id}/feedback", "At once or in batches."))
    wait = f"{terms.fhir_timeout_s + _MARGIN_S:g} s"
    remark = "Answers from prefetch take a small part of a second; what lacks is read from FHIR within this time."
    rows.append(("time limit", "", wait, remark))
    intro = "Type each address exactly as it stands, without a slash at the end: there are no redirects."
    return Section("Addresses", intro, ("what", "hook or method", "value", "remark"), tuple(rows), frozenset({"value"}))


def _prefetch(fired: Sequence[Service]) -> Section:
    hooks: dict[tuple[str, str], list[str]] = {}
    for service in fired:
        for wanted in service.wanted:
            hooks.setdefault((wanted.key, wanted.query), []).append(service.hook)
    rows = tuple(
        (key, query, str(filled_length(query)), "\n".join(scopes_of(query)), "\n".join(of))
        for (key, query), of in hooks.items()
    )
    intro = (
        "One row a key; the length counts with an id of 64 characters. Keys may be named otherwise, for resources are "
        "told apart by what they are; but where data lack, the answer names the keys of this table. %7C is a bar."
    )
    columns = ("key", "query", "length", "scopes", "hooks")
    return Section("Prefetch", intro, columns, rows, frozenset({"key", "query", "scopes"}))


def _scopes(fired: Sequence[Service], ehr: Ehr) -> Section:
    queries = dict.fromkeys(wanted.query for service in fired for wanted in service.wanted)
    if queries:
        queries[MEDICATIONS] = None
    kinds = {query.partition("?")[0].partition("/")[0]: scopes_of(query) for query in queries}
    rows = tuple((kind, *scopes, ehr.scope_names.get(kind, "")) for kind, scopes in kinds.items())
    columns = ("resource", "SMART 1", "SMART 2", "name at the client")[: 4 if ehr.scope_names else 3]
    intro = "Read only. What a refused scope leaves unread is named on the card, or the answer is 412."
    return Section("Scopes", intro, columns, tuple(row[: len(columns)] for row in rows), frozenset(columns[1:3]))


def _token(fired: Sequence[Service], terms: Terms, ehr: Ehr) -> Section:
    audience = "\n".join(f"{terms.base}/cds-services/{service.id}" for service in fired)
    rows = (
        ("header alg", " or ".join(terms.algorithms), "Never HMAC or none."),
        ("header kid", "the id of the key", "Needed."),
        ("header jku", ehr.jku or "the address of your keys", "Agree on it first: only listed addresses are asked."),
        ("iss", ehr.issuer or "your issuer", "Agree on it first: it tells which client calls."),
        ("aud", audience, "The address that is called; for feedback with /feedback at its end. May be an array."),
        ("iat, exp", "now, and a few minutes later", "Clocks may differ a little."),
        ("jti", "new for each call", "One that was seen is refused."),
    )
    intro = "Each call brings Authorization: Bearer with a JSON Web Token; the FHIR token in the body is another one."
    return Section("Token of the client", intro, ("part", "value", "remark"), rows, frozenset({"value"}))


def _overrides() -> Section:
    intro = "The reasons that a card offers when it is dismissed. Map each by its code."
    return Section("Override codes", intro, ("code", "shown as"), tuple(OVERRIDE_REASONS), frozenset({"code"}))


def _topics(*, alphanumeric: bool) -> Section:
    rows = tuple((topic_code(rule), words) for rule, words in {**TOPICS, **ORDER_TOPICS}.items() if rule)
    intro = (
        "source.topic.code of the cards. The codes never change their meaning, so acknowledgements can be kept by them."
    )
    if alphanumeric:
        intro += " Letters and digits only, at most 100."
    return Section("Topics", intro, ("code", "topic"), rows, frozenset({"code"}))


def _links(catalog: Catalog, terms: Terms) -> Section:
    sources = [catalog.sources[name] for rule in RULES.values() for name in rule.sources if name in catalog.sources]
    found = {url: label_of(source) for source in sources if (url := address_of(source))}
    own = [(f"{terms.base}/knowledge/rules/", "Ours: what a rule says; all addresses that begin so")]
    if terms.launched:
        own.append((f"{terms.base}/app/launch", "Ours: the course over time; a SMART app, to be registered as one"))
    rows = (*(own if terms.pages else ()), *sorted(found.items()))
    intro = "The addresses that cards may link to. What is not allowed takes nothing from the text of the card."
    return Section("Links to allow", intro, ("address", "what"), rows, frozenset({"address"}))


def _preference_list(catalog: Catalog) -> Section:
    rows = []
    for panel in PANELS:
        for name in panel.inputs:
            code = catalog.codes_for(name)[0]
            known = catalog.observation(LOINC, code)
            rows.append((code, known.display if known else name, panel.label))
    intro = (
        f"The tests that cards offer to order, under the system {EPIC_PREFERENCE_LIST}. Give each its key on the "
        "preference list: the LOINC code. The details of the order are those of your list."
    )
    columns = ("key", "test (LOINC)", "offered as")
    return Section("Keys of the preference list", intro, columns, tuple(rows), frozenset({"key"}))


def _commands(fired: Sequence[Service], base: str) -> Iterator[str]:
    yield f"curl -s {base}/cds-services"
    for service in fired[:1]:
        yield (
            f"curl -s {base}/cds-services/{service.id} -H 'Content-Type: application/json' "
            f'-H "Authorization: Bearer $TOKEN" --data-binary @{SAMPLE}'
        )
