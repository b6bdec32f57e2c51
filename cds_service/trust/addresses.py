"""Addresses: which ones lie on this machine.

Knows: host names and IP addresses.
Must not know: who may be asked for what.
"""

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
