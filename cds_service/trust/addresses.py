"""Addresses: which ones lie on this machine, and which ones the FHIR server of a client may have.

Knows: host names, IP addresses, networks.
Must not know: how a name becomes an address (outgoing/session.py).

A listed name whose entry in the DNS was changed must not lead into the inner network, to this machine or to the
metadata service of a cloud (169.254.169.254), unless the operator has named that network or that very address.
"""

import ipaddress
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

from cds_service.trust.tenants import Network

Address = IPv4Address | IPv6Address


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the address."""
    if host == "localhost":
        return True
    address = _literal(host)
    return address is not None and address.is_loopback


def this_machine(address: Address) -> bool:
    """For servers beside the sandbox."""
    return address.is_loopback


def reachable(servers: Collection[str], networks: Collection[Network]) -> Callable[[Address], bool]:
    """Which addresses the servers may have: public ones, those that are written out, those in the networks."""
    written = {_literal(urlsplit(server).hostname or "") for server in servers}

    def may_connect(address: Address) -> bool:
        if address in written or any(address in network for network in networks):
            return True
        return address.is_global and not address.is_multicast

    return may_connect


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
