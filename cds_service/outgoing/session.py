"""Sessions for calls to others: pooled, no cookies, no retries, nothing from the environment, addresses checked.

Knows: proxy and certificates as set, how a host becomes an address, which addresses a session may connect to.
Must not know: what is asked, and of whom.

A name that was checked can lead elsewhere a moment later (DNS rebinding). So the name is resolved here, once for each
connection, and the connection is made to the very address that was checked.
"""

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from cds_service.outgoing.deadline import TimedResponse

_NAT64: Final = IPv6Network("64:ff9b::/96")

Address = IPv4Address | IPv6Address
Session = requests.Session
MayConnect = Callable[[Address], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How calls leave the house.

    ca_bundle: file of trusted certificates; empty: those that come with requests. proxy: for https; empty: none.
    direct: hosts, or endings of hosts such as .hospital.example, that are reached without the proxy.
    Behind a proxy the name is resolved there, so the proxy has to refuse addresses of the inner network.
    """

    ca_bundle: str = ""
    proxy: str = ""
    direct: Sequence[str] = ()

    def passes_by(self, host: str) -> bool:
        """Whether the host is reached without the proxy."""
        return any(host == each.lstrip(".") or host.endswith(f".{each.lstrip('.')}") for each in self.direct)


DIRECT = Way()


def anywhere(address: Address) -> bool:
    """For addresses that the operator wrote down: all of them."""
    return True


def new_session(
    way: Way = DIRECT, *, may_connect: MayConnect = anywhere, connections: int = 16, verify: bool | None = None
) -> Session:
    """A session for many calls. may_connect: asked before each new connection that is not made by the proxy.

    Without trust_env no .netrc can replace a token. verify: False is for tests only.
    """
    session = Session()
    session.trust_env = False
    session.verify = (way.ca_bundle or True) if verify is None else verify
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if way.proxy:
        session.proxies = {"https": way.proxy}
    for scheme in ("https://", "http://"):
        session.mount(scheme, _Guarded(way, may_connect, connections))
    return session


class _Guarded(HTTPAdapter):
    """Passes the proxy by where it should, and lets its pools connect to allowed addresses only."""

    def __init__(self, way: Way, may_connect: MayConnect, connections: int) -> None:
        self._way = way
        self._pools = _pools(may_connect)
        super().__init__(pool_connections=connections, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._way.passes_by(urlsplit(request.url or "").hostname or ""):
            kwargs["proxies"] = {}
        return super().send(request, *args, **kwargs)


def _pools(may_connect: MayConnect) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        response_class = TimedResponse

        def _new_conn(self) -> socket.socket:
            return _connected(self, may_connect)

    class Tls(HTTPSConnection):
        response_class = TimedResponse

        def _new_conn(self) -> socket.socket:
            return _connected(self, may_connect)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    return {"http": PlainPool, "https": TlsPool}


def _connected(connection: HTTPConnection, may_connect: MayConnect) -> socket.socket:
    """A socket to the first address of the host that may be connected to and answers."""
    host = connection.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    problem: OSError | None = None
    for *_, sockaddr in found:
        address = str(sockaddr[0])
        if not may_connect(_plain(ip_address(address.partition("%")[0]))):
            continue
        try:
            return create_connection(
                (address, int(sockaddr[1])), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            problem = error
    if isinstance(problem, TimeoutError):
        raise ConnectTimeoutError(connection, "no connection in time") from problem
    reason = "no connection" if problem else "the name leads to no address that may be asked"
    raise NewConnectionError(connection, reason) from problem


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address wraps: ::ffff:10.0.0.1 is 10.0.0.1, and so are 6to4 and NAT64 forms."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
