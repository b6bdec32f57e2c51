"""The clients of the service: the tenants file checked against what this version offers, and what checks their tokens.

Knows: where profiles, services and limits are defined; the content that each client is judged by; the settings.
Must not know: what makes a token good (trust/tokens.py). What reads keys is imported only where there are clients.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.hooks.profiles import PROFILES
from cds_service.hooks.services import services
from cds_service.settings import Settings
from cds_service.terminology.catalog import Catalog
from cds_service.terminology.limits import with_limits
from cds_service.terminology.table import Problems
from cds_service.trust.tenants import Tenant

if TYPE_CHECKING:
    from cds_service.outgoing.session import Way
    from cds_service.trust.replay import Memory
    from cds_service.trust.tokens import Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Who may call. catalogs: the content with limits of its own, by the name of the client; only where there are."""

    tenants: tuple[Tenant, ...] = ()
    catalogs: Mapping[str, Catalog]


def read_clients(path: Path, catalog: Catalog, settings: Settings) -> Clients:
    """The clients of the file.

    Raises: TenantsError with every problem, each as file: key: text.
    """
    from cds_service.trust.tenants_file import Offer, read_tenants

    catalogs: dict[str, Catalog] = {}

    def limit_problems(name: str, limits: Mapping[str, Any]) -> list[str]:
        problems = Problems()
        if limits:
            catalogs[name] = with_limits(catalog, limits, problems)
        return [problem.removeprefix("criteria:0: ") for problem in problems.found]

    offer = Offer(
        profiles=PROFILES,
        services=[service.id for service in services(catalog)],
        sandbox=settings.sandbox,
        reads_certificates=bool(settings.client_certificate_header),
        limit_problems=limit_problems,
    )
    return Clients(tenants=read_tenants(path, offer), catalogs=catalogs)


def way_of(settings: Settings) -> "Way":
    """How calls of our own leave the house."""
    from cds_service.outgoing.session import Way

    return Way(ca_bundle=settings.ca_bundle, proxy=settings.https_proxy, direct=settings.direct_hosts)


def tokens_of(
    settings: Settings, tenants: Collection[Tenant], *, memory: "Memory", clock: Callable[[], datetime]
) -> "Tokens":
    """What checks the tokens of these clients."""
    from cds_service.outgoing.session import new_session
    from cds_service.trust.jwks import key_of
    from cds_service.trust.key_fetch import fetch_keys
    from cds_service.trust.key_sets import KeySet, PinnedKeys
    from cds_service.trust.tokens import Rules, Tokens

    session = new_session(way_of(settings))
    fetch = partial(fetch_keys, session=session, clock=time.monotonic, sandbox=settings.sandbox)
    return Tokens(
        tenants,
        Rules(
            algorithms=settings.algorithms,
            skew=timedelta(seconds=settings.token_skew_s),
            public_url=settings.public_url,
        ),
        keys_at={
            address: KeySet(partial(fetch, address), time.monotonic)
            for tenant in tenants
            for address in tenant.key_addresses
        },
        pinned={
            tenant.name: PinnedKeys([key_of(jwk, sandbox=settings.sandbox) for jwk in tenant.keys])
            for tenant in tenants
            if tenant.keys
        },
        memory=memory,
        clock=clock,
    )
