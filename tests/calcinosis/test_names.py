"""Every id that a rule names exists in the content, so that no rule waits for something that can never come."""

from enum import StrEnum

import pytest

from cds_service.calcinosis.names import CauseId, Concept, EventKind, Group, Input
from cds_service.terminology.catalog import Catalog


def _content(catalog: Catalog) -> dict[type[StrEnum], set[str]]:
    return {
        Input: set(catalog.inputs),
        CauseId: set(catalog.knowledge.causes),
        Concept: set(catalog.concepts),
        Group: {drug.group for drug in catalog.drugs.values()},
        EventKind: {
            code.kind for table in catalog.procedure_codes.values() for codes in table.values() for code in codes
        },
    }


@pytest.mark.parametrize("names", [Input, CauseId, Concept, Group, EventKind])
def test_every_name_in_the_rules_is_in_the_content(names: type[StrEnum], catalog: Catalog) -> None:
    assert {str(name) for name in names} - _content(catalog)[names] == set()
