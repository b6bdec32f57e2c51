"""The words of order cards and of suggestions.

Tables only, for review by a clinician. Must not know: patients.
"""

from typing import NamedTuple


class Panel(NamedTuple):
    """Laboratory tests that are offered under one label. inputs: of mappings/inputs.csv."""

    label: str
    inputs: tuple[str, ...]


PANELS: tuple[Panel, ...] = (
    Panel("Order calcium, phosphate and albumin from one draw", ("ca_total", "phosphate", "albumin")),
    Panel("Order ionised calcium", ("ca_ionized",)),
    Panel("Order parathyroid hormone (PTH)", ("pth_intact",)),
    Panel("Order 25-OH vitamin D", ("vitd_25oh_total",)),
)
"""In the order in which they are offered (CL-100, CL-109)."""
