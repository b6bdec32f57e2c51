"""Where the service may be sent by a call, and where it never goes, whatever a request, a name or an answer says."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from cds_service.app import create_app
from cds_service.settings import SettingsError, read_settings
from cds_service.terminology.catalog import Catalog
from cds_service.trust.addresses import reachable
from cds_service.trust.tenants import Tenant
from tests.calls import PATIENT_VIEW, bundle, calcium, call, critical_call, patient, phosphate
from tests.conftest import NOW, Notes
from tests.trust.certificates import certificate

TOKEN = "zq7-fhir-token"  # noqa: S105  made up
NAME = "fhir.hospital.example"
AUTHORIZATION = {
    "access_token": TOKEN,
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "calcinosis",
}
Answer = Callable[[str], tuple[int, dict[str, str], object]]


def of_one_patient(path: str) -> tuple[int, dict[str, str], object]:
    if "/Patient/" in path:
        return 200, {}, patient()
    return 200, {}, bundle(calcium(10.5), phosphate(7.5)) if "/Observation" in path else bundle()


@dataclass
class Server:
    """A FHIR server on this machine; remembers what it was asked and with which token."""

    port: int = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    answer: Answer = of_one_patient


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serving()


@pytest.fixture
def stranger() -> Iterator[Server]:
    """The server that nothing may ever reach."""
    yield from serving()


def serving(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    seen = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, found = seen.answer(self.path)
            body = json.dumps(found).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_CONNECT(self) -> None:
            """As a proxy that refuses."""
            seen.asked.append((self.path, self.headers.get("Authorization")))
            self.send_error(403)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        if tls is not None:
            http.socket = tls.wrap_socket(http.socket, server_side=True)
            http.handle_error = lambda *_: None  # type: ignore[method-assign]  a client that does not trust it hangs up
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        seen.port = http.server_port
        yield seen
        http.shutdown()
        thread.join()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name service of our own: the addresses of each name, one list for each look-up, the last one for ever."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            ip_address(host)  # anything else would be a question to the world outside
            return real(host, port, *args, **kwargs)
        answers = known[host]
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [found for each in addresses.split() for found in real(each, port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


def status(catalog: Catalog, fhir_server: str, tenant: Tenant, notes: Notes | None = None, **given: Any) -> int:
    """What a call gets that brings no data along. 412: nothing could be read."""
    settings = read_settings({}, **{"database_url": "", "sandbox": True, "fhir_timeout_s": 3} | given)
    app = create_app(settings, clock=lambda: NOW, catalog=catalog, journal=notes or Notes(), admit=lambda: tenant)
    body = call(prefetch=..., fhirServer=fhir_server, fhirAuthorization=AUTHORIZATION)
    answer = app.test_client().post(PATIENT_VIEW, json=body)
    assert TOKEN not in answer.text + str(answer.headers)
    assert fhir_server not in answer.text
    return answer.status_code


def listed(server: str, *networks: str) -> Tenant:
    return Tenant(name="general", fhir_servers=(server,), fhir_networks=tuple(ip_network(each) for each in networks))


# ---- addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "0.0.0.0",  # noqa: S104  refused, that is the point
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fd00:ec2::254",
        "fe80::1",
        "fc00::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_not_public_needs_a_network_or_to_be_written_out(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert not reachable([f"https://{NAME}/fhir"], [])(ip_address(address))
    assert reachable([f"https://{host}/fhir"], [])(ip_address(address))
    assert reachable([f"https://{NAME}/fhir"], [ip_network(address)])(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_a_public_address_may_be_reached(address: str) -> None:
    assert reachable([], [])(ip_address(address))


@pytest.mark.parametrize(
    "answer",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "169.254.169.254",
        "10.0.0.1 127.0.0.1",
    ],
)
def test_a_listed_name_that_leads_inside_is_not_followed(
    catalog: Catalog, server: Server, names: dict[str, list[str]], answer: str
) -> None:
    names[NAME] = [answer]
    base = f"http://{NAME}:{server.port}/fhir"
    assert status(catalog, base, listed(base)) == 412
    assert server.asked == []


def test_a_listed_name_may_lead_into_a_network_of_the_client(
    catalog: Catalog, server: Server, names: dict[str, list[str]]
) -> None:
    names[NAME] = ["127.0.0.1"]
    base = f"http://{NAME}:{server.port}/fhir"
    assert status(catalog, base, listed(base, "10.0.0.0/8")) == 412
    assert status(catalog, base, listed(base, "10.0.0.0/8", "127.0.0.0/8")) == 200
    assert {token for _, token in server.asked} == {f"Bearer {TOKEN}"}


def test_a_name_that_changes_after_the_check_leads_nowhere(
    catalog: Catalog, server: Server, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a harmless address for the check, this machine for the connection. There is one look-up only."""
    tried: list[str] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        tried.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr("cds_service.outgoing.session.create_connection", connect)
    names[NAME] = ["8.8.8.8", "127.0.0.1"]
    base = f"http://{NAME}:{server.port}/fhir"
    assert status(catalog, base, listed(base)) == 412
    assert set(tried) == {"8.8.8.8"}  # the address that was checked, as an address


# ---- which server a request may name


@pytest.mark.parametrize(
    "form",
    [
        "http://127.0.0.1:{port}/fhir",
        "http://localhost:{port}/fhir",
        "http://2130706433:{port}/fhir",
        "http://0x7f000001:{port}/fhir",
        "http://127.1:{port}/fhir",
        "http://[::ffff:127.0.0.1]:{port}/fhir",
        "https://fhir.hospital.example.stranger.example/fhir",
        "https://fhir.hospital.example/fhirwall",
        "https://fhir.hospital.example/fhir/../admin",
        "https://fhir.hospital.example/fhir/..%2fadmin",
        "https://fhir.hospital.example:8443/fhir",
        "https://fhir.hospital.example./fhir",
    ],
)
def test_a_server_that_is_not_the_clients_is_never_asked(
    catalog: Catalog, stranger: Server, names: dict[str, list[str]], form: str
) -> None:
    tenant = listed(f"https://{NAME}/fhir", "0.0.0.0/0")
    address = form.format(port=stranger.port)
    settled = status(catalog, address, tenant, sandbox=False)
    assert settled in {400, 412}
    assert stranger.asked == []


@pytest.mark.parametrize(
    "server",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "https://user@fhir.hospital.example/fhir",
        "https://fhir.hospital.example/fhir?x=",
        "https://fhir.hospital.example/fhir#",
        "https://fhir.hospital.example\\@stranger.example/fhir",
        "https://fhir.hospital.example/fhir\r\nX-Injected: 1",
        "https://fhir.hospital.example/fhir\t",
        "//stranger.example/fhir",
        "https://",
        "http://fhir.hospital.example/fhir",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(catalog: Catalog, server: str) -> None:
    assert status(catalog, server, listed("https://fhir.hospital.example/fhir"), sandbox=False) == 400


def test_ch_52_a_token_without_a_server_is_refused(catalog: Catalog) -> None:
    app = create_app(read_settings({}, database_url=""), catalog=catalog)
    body = critical_call(fhirServer=..., fhirAuthorization=AUTHORIZATION)
    assert app.test_client().post(PATIENT_VIEW, json=body).status_code == 400


def test_the_servers_of_another_client_are_not_asked(catalog: Catalog, server: Server, stranger: Server) -> None:
    mine, other = (f"http://127.0.0.1:{each.port}/fhir" for each in (server, stranger))
    # as outside the sandbox, where no server of this machine may be asked without being listed
    settings = read_settings({}, database_url="", fhir_servers=mine)
    app = create_app(settings, clock=lambda: NOW, catalog=catalog, admit=lambda: listed(mine))
    for base in (mine, other):
        body = call(prefetch=..., fhirServer=base.replace("http:", "https:"), fhirAuthorization=AUTHORIZATION)
        assert app.test_client().post(PATIENT_VIEW, json=body).status_code == 412
    assert stranger.asked == []


# ---- what an answer may do


def test_the_token_does_not_follow_a_redirect(catalog: Catalog, server: Server, stranger: Server) -> None:
    for code in (301, 302, 303, 307, 308):
        away = f"http://127.0.0.1:{stranger.port}/fhir/Patient/x1"
        server.answer = lambda path, code=code, away=away: (code, {"Location": away}, {})  # type: ignore[misc]
        base = f"http://127.0.0.1:{server.port}/fhir"
        assert status(catalog, base, listed(base)) == 412
    assert stranger.asked == []


def test_the_token_does_not_follow_a_next_link_to_another_server(
    catalog: Catalog, server: Server, stranger: Server
) -> None:
    base = f"http://127.0.0.1:{server.port}/fhir"
    for away in (
        f"http://127.0.0.1:{stranger.port}/fhir?page=2",
        f"//127.0.0.1:{stranger.port}/fhir?page=2",
        f"http://127.0.0.1:{server.port}@127.0.0.1:{stranger.port}/",
        "file:///etc/passwd",
    ):
        link = [{"relation": "next", "url": away}]
        server.answer = lambda path, link=link: (  # type: ignore[misc]
            of_one_patient(path) if "Patient/" in path else (200, {}, bundle(calcium(10.5), phosphate(7.5), link=link))
        )
        status(catalog, base, listed(base))
    assert server.asked != []
    assert stranger.asked == []


# ---- TLS, certificates of the house


@pytest.mark.parametrize(("named", "expected"), [(NAME, 200), ("other.hospital.example", 412)])
def test_a_server_must_show_a_certificate_of_its_name_from_an_authority_of_the_house(
    catalog: Catalog, tmp_path: Path, names: dict[str, list[str]], named: str, expected: int
) -> None:
    context, authority = certificate(tmp_path, named)
    names[NAME] = ["127.0.0.1"]
    for server in serving(context):
        base = f"https://{NAME}:{server.port}/fhir"
        tenant = listed(base, "127.0.0.0/8")
        production: dict[str, Any] = {"sandbox": False, "fhir_servers": base}
        assert (
            status(catalog, base, tenant, **production) == 412
        )  # nobody has said that this authority is to be trusted
        assert server.asked == []
        assert status(catalog, base, tenant, ca_bundle=str(authority), **production) == expected
        assert (server.asked != []) is (expected == 200)


def test_a_bundle_of_certificates_that_is_not_there_stops_the_start(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({"CDS_CA_BUNDLE": str(tmp_path / "none.pem")})
    assert refused.value.problems == ("CDS_CA_BUNDLE: there is no such file",)


# ---- a proxy


def test_calls_go_by_the_proxy_but_for_the_hosts_that_are_reached_directly(
    catalog: Catalog, stranger: Server, names: dict[str, list[str]]
) -> None:
    base = f"https://{NAME}:9/fhir"
    given: dict[str, Any] = {"sandbox": False, "fhir_servers": base, "https_proxy": f"http://127.0.0.1:{stranger.port}"}
    assert status(catalog, base, listed(base), **given) == 412
    assert set(stranger.asked) == {(f"{NAME}:9", None)}  # the way through was asked for, and the token kept
    stranger.asked.clear()
    names[NAME] = ["10.0.0.1"]
    assert status(catalog, base, listed(base), no_proxy="hospital.example", **given) == 412
    assert stranger.asked == []
