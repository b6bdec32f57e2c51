"""Suggestions on cards: what a clinician may take over with one click, and never has to.

Knows: the CDS Hooks Suggestion and Action, how a laboratory test is written as a draft order in FHIR R4.
Must not know: which tests or orders they are about (calcinosis/ decides), HTTP. There are no systemActions here and
nowhere else: nothing happens without the user.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cds_service.hooks.wording.findings import ANALYTES
from cds_service.hooks.wording.orders import PANELS
from cds_service.hooks.wording.write import sentence
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.codes import LOINC

ANY = "any"
"""selectionBehavior: every suggestion may be taken, alone or beside others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One step of a suggestion. type: "create" with a resource, or "delete" with the relative reference of a draft.

    description: carries the meaning by itself, for some clients show nothing else.
    """

    type: str
    description: str
    resource: Mapping[str, object] | None = None
    resource_id: str | None = None

    def to_json(self) -> dict[str, object]:
        """Return the CDS Hooks Action. Source: CDS Hooks 2.0, "Action"."""
        action: dict[str, object] = {"type": self.type, "description": self.description}
        if self.resource is not None:
            action["resource"] = dict(self.resource)
        if self.resource_id is not None:
            action["resourceId"] = self.resource_id
        return action


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What is offered under one label; its actions are taken together."""

    uuid: str
    label: str
    actions: tuple[Action, ...]

    def to_json(self) -> dict[str, object]:
        """Return the CDS Hooks Suggestion; none is recommended before another."""
        return {"label": self.label, "uuid": self.uuid, "actions": [action.to_json() for action in self.actions]}


def laboratory_orders(
    inputs: Iterable[str], patient_id: str, encounter_id: str | None, catalog: Catalog, new_id: Callable[[], str]
) -> tuple[Suggestion, ...]:
    """Offer draft orders of laboratory tests: those of one blood draw under one label, the others each alone.

    inputs: input ids; the LOINC code of each is the first of its codes in the mappings.
    """
    wanted = set(inputs)
    offered = []
    for panel in PANELS:
        if wanted.issuperset(panel.inputs):
            actions = tuple(_create(name, patient_id, encounter_id, catalog) for name in panel.inputs)
            offered.append(Suggestion(uuid=new_id(), label=panel.label, actions=actions))
    return tuple(offered)


def _create(name: str, patient_id: str, encounter_id: str | None, catalog: Catalog) -> Action:
    code = catalog.codes_for(name)[0]
    known = catalog.observation(LOINC, code)
    coding = {"system": LOINC, "code": code, **({"display": known.display} if known is not None else {})}
    request: dict[str, object] = {
        "resourceType": "ServiceRequest",
        "status": "draft",
        "intent": "proposal",
        "code": {"coding": [coding], "text": sentence(ANALYTES[name])},
        "subject": {"reference": f"Patient/{patient_id}"},
    }
    if encounter_id:
        request["encounter"] = {"reference": f"Encounter/{encounter_id}"}
    return Action(
        type="create", description=f"Order {ANALYTES[name]} (laboratory test, LOINC {code})", resource=request
    )
