"""A client of this service: one EHR installation with what is agreed with it.

Knows: the words of the agreement.
Must not know: HTTP; how a caller proves who it is; where the agreement is written (tenants_file.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

Network = IPv4Network | IPv6Network
Jwk = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """What is agreed with one client.

    name: stands in journal, reports and metrics; never the name of a patient or clinician.
    profile: how its cards are shaped; a name of hooks/profiles.py.
    silent: decide and record, show nothing.
    services: the ids that it may call; None means all.
    issuers: the values of iss in its tokens. audiences: values of aud besides the address that is called.
    key_addresses: where its keys may be fetched (jku). keys: its keys, when they were exchanged out of band.
    certificates: what a proxy tells of its client certificate, needed beside the token when there are any.
    fhir_servers: base addresses that may be read for it. fhir_networks: private networks in which these may lie.
    limits: its own clinical limits, as written in criteria.toml of a site.
    """

    name: str = "default"
    profile: str = "generic"
    silent: bool = False
    services: frozenset[str] | None = None
    issuers: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()
    key_addresses: tuple[str, ...] = ()
    keys: tuple[Jwk, ...] = field(default=(), repr=False)
    certificates: tuple[str, ...] = ()
    fhir_servers: tuple[str, ...] = ()
    fhir_networks: tuple[Network, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def may_call(self, service_id: str) -> bool:
        """Whether the service is switched on for this client."""
        return self.services is None or service_id in self.services

    def has(self, certificate: str) -> bool:
        """Whether the certificate is one of this client's: fingerprints with or without colons, in either case."""
        return bool(certificate) and _bare(certificate) in {_bare(each) for each in self.certificates}


def _bare(certificate: str) -> str:
    return certificate.strip().replace(":", "").casefold()


# who calls where callers are not checked: sandbox mode, or a network that only trusted clients can reach
EVERYONE = Tenant()
