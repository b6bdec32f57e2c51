"""A catalog with the limits of one client.

Knows: that a client may set what a site may set, within the same bounds.
Must not know: any limit; who the client is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cds_service.terminology.catalog import Catalog
from cds_service.terminology.criteria import local_criteria
from cds_service.terminology.table import Problems


def with_limits(catalog: Catalog, document: Mapping[str, Any], problems: Problems) -> Catalog:
    """Return the same content with these limits; its digest is another one, for it can lead to other cards."""
    values: dict[str, Any] = dict(local_criteria(document, catalog.bounds, problems, name="criteria", lines={}))
    if not values:
        return catalog
    told = "".join(f"\0{field}={value}" for field, value in sorted(values.items()))
    criteria = replace(catalog.knowledge.criteria, **values)
    return replace(
        catalog,
        knowledge=replace(catalog.knowledge, criteria=criteria),
        digest=f"sha256:{hashlib.sha256((catalog.digest + told).encode()).hexdigest()}",
    )
