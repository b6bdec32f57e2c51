"""The services offered, as data, and the discovery document.

Knows: ids, hooks, texts and prefetch templates (their codes come from the Catalog).
Must not know: Flask; how a call is answered.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cds_service.fhir.record import Kind, Wanted
from cds_service.hooks.request import ORDER_SELECT, ORDER_SIGN
from cds_service.terminology.catalog import Catalog

CDS_HOOKS_VERSION = "2.0.1"
HOOK_VERSION = "1.0"
KNOWLEDGE = "org.calcinosis-cds.knowledge"
# EHRs differ in the longest URL they take; 1,800 leaves room for a base URL below the common 2,000
LONGEST_TEMPLATE = 1800
# the longest id that a request may carry takes the place of the token when the EHR fills the template in
_LONGEST_ID = 128
_REQUIREMENTS = (
    "FHIR R4. Laboratory results coded in LOINC with UCUM units, problems in SNOMED CT or ICD-10-CM. Without "
    "prefetched data or a readable FHIR server the answer is 412."
)
_LOINC = "http://loinc.org%7C"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a site wants offered, and how its prefetch templates are cut.

    hello: the service for a first test of the connection. by_input: one key for each input in place of groups.
    count: page size that searches ask for. look_back_days: how old the results asked for may be; the template then
    holds a token of CDS Hooks 3.0, which clients of 2.0 may leave unfilled.
    """

    hello: bool = False
    by_input: bool = False
    count: int | None = None
    look_back_days: int | None = None

    def template(self, wanted: Wanted) -> str:
        """Return the prefetch template of a query. Source: CDS Hooks 2.0 and 3.0, "Prefetch query restrictions"."""
        if "?" not in wanted.query:
            return wanted.query
        days = self.look_back_days if wanted.kind is Kind.OBSERVATIONS else None
        since = f"&date=ge{{{{today() - {days} days}}}}" if days is not None else ""
        return f"{wanted.query}{since}{f'&_count={self.count}' if self.count is not None else ''}"


PLAIN = Offer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One entry of the discovery document. wanted: the FHIR queries whose answers it works with, by prefetch key."""

    id: str
    hook: str
    title: str
    description: str
    wanted: tuple[Wanted, ...]
    usage_requirements: str
    offer: Offer = PLAIN

    @property
    def is_hello(self) -> bool:
        """Whether it only says that the connection works."""
        return self.id == HELLO

    def discovery(self, catalog: Catalog) -> dict[str, object]:
        """The entry as JSON. Source: CDS Hooks 2.0, "Discovery"; version and hookVersion from the 3.0 draft."""
        prefetch = {wanted.key: self.offer.template(wanted) for wanted in self.wanted}
        return {
            "hook": self.hook,
            "id": self.id,
            "title": self.title,
            "description": self.description,
            **({"prefetch": prefetch} if prefetch else {}),
            "usageRequirements": self.usage_requirements,
            "version": CDS_HOOKS_VERSION,
            "hookVersion": HOOK_VERSION,
            "extension": {KNOWLEDGE: {"version": catalog.version, "digest": catalog.digest}},
        }


HELLO = "hello"
_HELLO = Service(
    id=HELLO,
    hook="patient-view",
    title="Connection test",
    description="Answers every call with one card that says that the connection works. Asks for no data and looks at "
    "none; says nothing of the patient. For the first test of a connection; to be switched off afterwards.",
    wanted=(),
    usage_requirements="None.",
)


def services(catalog: Catalog, offer: Offer = PLAIN) -> tuple[Service, ...]:
    """All services. Each hook has an id of its own, for real clients keep services by their address."""
    wanted = wanted_data(catalog, by_input=offer.by_input)
    return (
        Service(
            id="metastatic-calcification-patient-view",
            hook="patient-view",
            title="Metastatic calcification risk",
            description="Looks at the newest pair of serum calcium and phosphate when a chart is opened, and at "
            "recorded causes, medicines and calcification. Shows a card when the product of the two lies above "
            "70 mg2/dL2, or when other findings of the rules deserve a look; shows none otherwise. "
            "For clinicians; not for emergencies; it never says that there is no risk.",
            wanted=wanted,
            usage_requirements=_REQUIREMENTS,
            offer=offer,
        ),
        *(
            Service(
                id=f"metastatic-calcification-{hook}",
                hook=hook,
                title=title,
                description=f"{when} Looks at draft orders of calcium, phosphate, vitamin D and analogues, vitamin K "
                "antagonists and thiazides beside calcium, phosphate, kidney function and the problem list. Names the "
                "order and offers to remove it; never changes one by itself. For clinicians; it never says that there "
                "is no risk.",
                wanted=wanted,
                offer=offer,
                usage_requirements=f"{_REQUIREMENTS} Orders coded in RxNorm, ATC or SNOMED CT; others are named as not "
                "judged.",
            )
            for hook, title, when in (
                (ORDER_SELECT, "Orders that bear on calcification, at selection", "When an order is selected."),
                (ORDER_SIGN, "Orders that bear on calcification, at signing", "Before orders are signed."),
            )
        ),
        *((_HELLO,) if offer.hello else ()),
    )


def wanted_data(catalog: Catalog, *, by_input: bool = False) -> tuple[Wanted, ...]:
    """The queries of every service: one per kind of data, observations by groups of codes, or by_input one by one.

    Services for orders need the same, for their rules ask for most of it and they tell the patient's tier too.

    The bar of system|code is written %7C: a bare bar is no legal character of a URL (RFC 3986).
    """
    patient = "patient={{context.patientId}}"
    groups = [(key, inputs) for key, _title, inputs in catalog.input_groups]
    if by_input:
        groups = [(name.replace("_", "-"), (name,)) for _key, inputs in groups for name in inputs]
    observations = (
        Wanted.of(f"observations-{key}{part}", query, inputs)
        for key, inputs in groups
        for part, query in _code_queries(
            f"Observation?{patient}&code=", catalog.codes_for(*inputs) + catalog.panels_for(*inputs)
        )
    )
    return (
        Wanted.of("patient", "Patient/{{context.patientId}}"),
        *observations,
        Wanted.of("conditions", f"Condition?{patient}"),
        Wanted.of("medications", f"MedicationRequest?{patient}"),
        Wanted.of("statements", f"MedicationStatement?{patient}"),
        Wanted.of("procedures", f"Procedure?{patient}"),
        Wanted.of("encounter", "Encounter/{{context.encounterId}}"),
    )


def _code_queries(start: str, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """As few queries as keep the length, "-2" and so on behind the first; the codes stay in order, usual ones first."""
    part, query = "", start
    for code in codes:
        item = _LOINC + code
        if len(query) + 1 + len(item) + _LONGEST_ID > LONGEST_TEMPLATE:
            yield part, query
            part, query = f"-{int(part[1:] or 1) + 1}", start
        query += item if query == start else "," + item
    if query != start:
        yield part, query
