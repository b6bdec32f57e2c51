"""What was understood of codes, units, ranges and interpretations, kept from call to call.

Knows: that the same few hundred spellings come again and again, and that their meaning hangs on the catalog alone.
Must not know: patients. Nothing with an identifier, a value, a date or a note is ever kept here.
"""

from typing import Final

from cds_service.calcinosis.names import Input
from cds_service.fhir.bounded import Bounded
from cds_service.fhir.labels import Labels
from cds_service.fhir.values import Interpretations, Ranges, Units
from cds_service.terminology.catalog import Catalog, DrugCode, FindingCode


class Vocabulary:
    """The understanding of one catalog's codes; shared by all calls."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.labels = Labels(catalog)
        self.units = Units(catalog)
        self.ranges = Ranges(self.units)
        self.interpretations = Interpretations()
        self.asked = frozenset(name for _, _, inputs in catalog.input_groups for name in inputs)
        # the inputs that a rule or a gap can speak of
        self.spoken_of = self.asked | frozenset(map(str, Input))
        self._drugs: Bounded[tuple[str, str], tuple[DrugCode, ...]] = Bounded()
        self._findings: Bounded[tuple[str | None, str], tuple[FindingCode, ...]] = Bounded()

    def findings(self, system: str | None, code: str) -> tuple[FindingCode, ...]:
        """The concepts of a code, as Catalog.findings."""
        key = (system, code)
        known = self._findings.get(key)
        return self._findings.keep(key, self.catalog.findings(system or "", code)) if known is None else known

    def drugs(self, system: str, code: str) -> tuple[DrugCode, ...]:
        """The medicines of a code, as Catalog.drugs_for."""
        key = (system, code)
        known = self._drugs.get(key)
        return self._drugs.keep(key, self.catalog.drugs_for(system, code)) if known is None else known


_MOST_CATALOGS: Final = 4
_vocabularies: dict[int, Vocabulary] = {}


def vocabulary_of(catalog: Catalog) -> Vocabulary:
    """The vocabulary of this catalog; it holds the catalog, so that no other can take its id."""
    known = _vocabularies.get(id(catalog))
    if known is None:
        if len(_vocabularies) >= _MOST_CATALOGS:
            _vocabularies.clear()
        known = _vocabularies[id(catalog)] = Vocabulary(catalog)
    return known
