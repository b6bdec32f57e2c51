"""How each cause can be recognised, beside the codes that state it: laboratory pattern, exposure, procedure.

Knows: which forms the clinical core has for which cause; tests hold this against the core.
Must not know: limits (criteria.toml) and clauses of rules.
"""

from typing import Final

from cds_service.calcinosis.chart import DIALYSIS_EVENTS, TRANSPLANT_EVENTS
from cds_service.calcinosis.names import CauseId, EventKind

PATTERNS: Final = frozenset(
    {
        CauseId.CKD_3,
        CauseId.CKD_4,
        CauseId.CKD_5,
        CauseId.AKI,
        CauseId.PRIMARY_HPT,
        CauseId.SECONDARY_HPT,
        CauseId.TERTIARY_HPT,
        CauseId.PARANEOPLASTIC,
        CauseId.MILK_ALKALI,
        CauseId.VITAMIN_D_EXCESS,
        CauseId.GRANULOMA_OTHER,
        CauseId.INFECTIOUS_GRANULOMA,
        CauseId.TUMOUR_LYSIS,
        CauseId.PHOSPHATE_LOAD,
        CauseId.PARENTERAL_PHOSPHATE,
        CauseId.RHABDOMYOLYSIS,
        CauseId.TUMORAL_CALCINOSIS,
    }
)
"""Causes that values (with medicines or other diseases on the record) fit, section 4 of the rules."""

EXPOSURES: Final = frozenset(
    {
        CauseId.MILK_ALKALI,
        CauseId.VITAMIN_D_EXCESS,
        CauseId.PHOSPHATE_LOAD,
        CauseId.PARENTERAL_PHOSPHATE,
        CauseId.ELECTRODE_PASTE,
        CauseId.HEEL_STICKS,
    }
)
"""Causes told as possible: a fitting medicine with an abnormal value, or a procedure beside recorded calcinosis."""

INFUSIONS: Final = frozenset({CauseId.PARENTERAL_CALCIUM, CauseId.PARENTERAL_PHOSPHATE})
"""Causes told by an infusion of the last weeks beside recorded calcinosis (CL-86)."""

PROCEDURES: Final[dict[str, tuple[str, ...]]] = {
    CauseId.ELECTRODE_PASTE: (EventKind.EEG, EventKind.EMG, EventKind.EVOKED_POTENTIALS),
    CauseId.HEEL_STICKS: (EventKind.HEEL_STICK,),
    CauseId.ESRD: tuple(sorted(DIALYSIS_EVENTS)),
    **{
        cause: tuple(sorted(kind for kind, causes in TRANSPLANT_EVENTS.items() if cause in causes))
        for cause in sorted({cause for causes in TRANSPLANT_EVENTS.values() for cause in causes})
    },
}
"""Kinds of procedures that tell of a cause."""


def is_told_otherwise(cause: str) -> bool:
    """Tell whether a cause can be found without a code that states it."""
    return cause in PATTERNS | EXPOSURES | INFUSIONS | PROCEDURES.keys()
