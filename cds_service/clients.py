"""The clients of the service: the tenants file checked against what this version offers.

Knows: where profiles, services and limits are defined; the content that each client is judged by.
Must not know: how a caller proves who it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cds_service.hooks.services import services
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.limits import with_limits
from cds_service.terminology.table import Problems
from cds_service.trust.tenants import Tenant

PROFILES = ("generic", "epic", "oracle", "athena", "sandbox", "cds-hooks-1.0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Who may call. catalogs: the content with limits of its own, by the name of the client; only where there are."""

    tenants: tuple[Tenant, ...]
    catalogs: Mapping[str, Catalog]


def read_clients(path: Path, catalog: Catalog, *, sandbox: bool) -> Clients:
    """The clients of the file.

    Raises: TenantsError with every problem, each as file: key: text.
    """
    # it brings what reads keys, which a service without clients does not need
    from cds_service.trust.tenants_file import Offer, read_tenants

    catalogs: dict[str, Catalog] = {}

    def limit_problems(name: str, limits: Mapping[str, Any]) -> list[str]:
        problems = Problems()
        if limits:
            catalogs[name] = with_limits(catalog, limits, problems)
        return [problem.removeprefix("criteria:0: ") for problem in problems.found]

    offered = [service.id for service in services(catalog)]
    offer = Offer(profiles=PROFILES, services=offered, sandbox=sandbox, limit_problems=limit_problems)
    return Clients(tenants=read_tenants(path, offer), catalogs=catalogs)
