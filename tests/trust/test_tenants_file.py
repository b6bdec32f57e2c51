"""The file that names each client: what it may say, and every problem at once."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.app import create_app
from cds_service.cli import main
from cds_service.clients import Clients, read_clients
from cds_service.settings import SettingsError, read_settings
from cds_service.terminology.catalog import Catalog
from cds_service.trust.tenants import Tenant
from cds_service.trust.tenants_file import TenantsError
from tests.calls import ASSESSMENT, EXPLAIN, PATIENT_VIEW, critical_call, healthy_call
from tests.conftest import NOW, Notes, counting_ids
from tests.trust.keys import BASE, SANDBOX_KEY, ec_key, key_set, public, rsa_key

SERVICE = "metastatic-calcification-patient-view"
MINIMAL = """
[clients.general]
issuers = ["https://ehr.example.org/fhir"]
jwks_urls = ["https://ehr.example.org/jwks.json"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tenants.toml"


def read(file: Path, text: str, catalog: Catalog, *, sandbox: bool = False) -> Clients:
    file.write_text(text, encoding="utf-8")
    return read_clients(file, catalog, read_settings({}, sandbox=sandbox))


def problems(file: Path, text: str, catalog: Catalog, *, sandbox: bool = False) -> tuple[str, ...]:
    with pytest.raises(TenantsError) as refused:
        read(file, text, catalog, sandbox=sandbox)
    return refused.value.problems


def test_a_client_needs_an_issuer_and_keys_and_has_sensible_rest(file: Path, catalog: Catalog) -> None:
    (tenant,) = read(file, MINIMAL, catalog).tenants
    assert tenant == Tenant(
        name="general",
        issuers=("https://ehr.example.org/fhir",),
        key_addresses=("https://ehr.example.org/jwks.json",),
    )
    assert (tenant.profile, tenant.silent, tenant.services) == ("generic", False, None)


def test_all_that_can_be_agreed_is_read(file: Path, catalog: Catalog) -> None:
    (file.parent / "keys.json").write_text(key_set(public(ec_key())))
    text = f"""
[clients.north-hospital]
issuers = ["https://north.example.org/a", "https://north.example.org/b"]
jwks_file = "keys.json"
audiences = ["https://cds.example.org/old-name"]
fhir_servers = ["https://fhir.north.example.org/r4"]
fhir_networks = ["10.20.0.0/16", "fd00:1::/32"]
profile = "epic"
mode = "silent"
services = ["{SERVICE}"]
[clients.north-hospital.criteria.pth_low_pg_ml]
value = "15"
unit = "pg/mL"
reason = "our assay"
"""
    clients = read(file, text, catalog)
    (tenant,) = clients.tenants
    assert (tenant.profile, tenant.silent, tenant.services) == ("epic", True, frozenset({SERVICE}))
    assert tenant.issuers == ("https://north.example.org/a", "https://north.example.org/b")
    assert tenant.audiences == ("https://cds.example.org/old-name",)
    assert [key["kid"] for key in tenant.keys] == ["k1"]
    assert tenant.fhir_servers == ("https://fhir.north.example.org/r4",)
    assert tenant.fhir_networks == (ip_network("10.20.0.0/16"), ip_network("fd00:1::/32"))
    assert clients.catalogs["north-hospital"].knowledge.criteria.pth_low_pg_ml == 15
    assert catalog.knowledge.criteria.pth_low_pg_ml != 15


def test_limits_of_a_client_give_its_content_another_digest(file: Path, catalog: Catalog) -> None:
    limit = '[clients.{}.criteria]\npth_low_pg_ml = {{ value = "{}", unit = "pg/mL", reason = "our assay" }}\n'
    text = MINIMAL + limit.format("general", 15)
    other = (
        text.replace("general", "other").replace("ehr.example.org/fhir", "ehr.example.org/2").replace('"15"', '"20"')
    )
    digests = {each.digest for each in read(file, text + other, catalog).catalogs.values()}
    assert len(digests | {catalog.digest}) == 3


def test_every_problem_is_told_at_once_with_file_and_key(file: Path, catalog: Catalog) -> None:
    text = """
surprise = 1
[clients.one]
issuers = []
jwks_urls = ["http://ehr.example.org/jwks.json"]
mode = "loud"
[clients.two]
issuers = ["https://two.example.org"]
fhir_servers = ["http://127.0.0.1:8080/fhir"]
profile = "cerner"
services = ["nothing"]
[clients.two.criteria.product_critical_mg2_dl2]
value = "90"
unit = "mg2/dL2"
reason = "fewer cards"
[clients.two.criteria.pth_low_pg_ml]
value = "1000"
unit = "pg/mL"
reason = "?"
[clients."Mrs Doe"]
issuers = ["https://two.example.org"]
jwks_urls = ["https://three.example.org/jwks.json"]
trust = "all"
[clients.default]
issuers = ["https://two.example.org"]
"""
    found = problems(file, text, catalog)
    assert [problem.split(": ")[:2] for problem in found] == [
        ["tenants.toml", "surprise"],
        ["tenants.toml", "clients.one.issuers"],
        ["tenants.toml", "clients.one.jwks_urls.0"],
        ["tenants.toml", "clients.one.mode"],
        ["tenants.toml", "clients.two.criteria"],
        ["tenants.toml", "clients.two.criteria"],
        ["tenants.toml", "clients.two.fhir_servers.0"],
        ["tenants.toml", "clients.two.profile"],
        ["tenants.toml", "clients.two.services.0"],
        ["tenants.toml", "clients.Mrs Doe"],
        ["tenants.toml", "clients.Mrs Doe.trust"],
        ["tenants.toml", "clients.default"],
        ["tenants.toml", "clients.default"],
    ]
    assert found[2].endswith("is not https")
    assert "product_critical_mg2_dl2: may not be set by a site; these may: " in found[4]
    assert "pth_low_pg_ml: value 1000 is not within " in found[5]
    assert found[12].endswith("has no keys; jwks_urls, jwks_file or jwks")


def test_an_issuer_leads_to_one_client(file: Path, catalog: Catalog) -> None:
    assert problems(file, MINIMAL + MINIMAL.replace("general", "other"), catalog) == (
        "tenants.toml: issuers: https://ehr.example.org/fhir is named 2 times; a token must lead to one client",
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "tenants.toml: file: is not UTF-8"),
        (b"[clients", "tenants.toml: file: is not TOML"),
        (b"", "tenants.toml: clients: there is none"),
        (b"clients = 3", "tenants.toml: clients: there is none"),
        (b"[clients]", "tenants.toml: clients: there is none"),
        (b"[clients]\na = 1", "tenants.toml: clients.a: "),
    ],
)
def test_what_is_no_list_of_clients_is_refused(file: Path, catalog: Catalog, content: bytes, told: str) -> None:
    file.write_bytes(content)
    with pytest.raises(TenantsError) as refused:
        read_clients(file, catalog, read_settings({}))
    assert refused.value.problems[0].startswith(told)


def test_a_file_that_is_not_there_is_told(file: Path, catalog: Catalog) -> None:
    with pytest.raises(TenantsError) as refused:
        read_clients(file, catalog, read_settings({}))
    assert refused.value.problems[0] == "tenants.toml: file: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    "address",
    [
        "https://user:pw@ehr.example.org/jwks",
        "https://ehr.example.org/jwks?x=1",
        "https://ehr.example.org/jwks#x",
        "https://ehr.example.org/../jwks",
        "https://ehr.example.org:0/jwks",
        "https://ehr.example.org:99999/jwks",
        "https:///jwks",
        "https://[::1/jwks",
        "https://ehr.example.org/a b",
        "ftp://ehr.example.org/jwks",
        "/jwks",
        "",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(file: Path, catalog: Catalog, address: str) -> None:
    text = MINIMAL.replace('"https://ehr.example.org/jwks.json"', json.dumps(address))
    (problem,) = problems(file, text, catalog)
    assert problem.startswith("tenants.toml: clients.general.jwks_urls.0: is no")


# ---- keys


def inline(*jwks: dict[str, object]) -> str:
    keys = ", ".join(
        "{" + ", ".join(f"{name} = {json.dumps(value)}" for name, value in jwk.items()) + "}" for jwk in jwks
    )
    return f'[clients.general]\nissuers = ["https://ehr.example.org"]\n[clients.general.jwks]\nkeys = [{keys}]\n'


@pytest.mark.parametrize("key", [ec_key(), ec_key(curve="P-256"), rsa_key()])
def test_a_public_key_may_stand_in_the_file(file: Path, catalog: Catalog, key: object) -> None:
    jwk = public(key)  # type: ignore[arg-type]
    (tenant,) = read(file, inline(jwk), catalog).tenants
    assert tenant.keys == (jwk,)
    assert str(jwk.get("x") or jwk.get("n")) not in repr(tenant)


@pytest.mark.parametrize(
    ("jwk", "told"),
    [
        (public(ec_key(), kid=...), "is no key with a kid"),
        (public(ec_key(), use="enc"), "is not for signatures"),
        (public(ec_key(), use=..., key_ops=["encrypt"]), "is not for signatures"),
        (public(ec_key(curve="P-521")), "is on another curve than P-384 and P-256"),
        (public(ec_key(), x="AAAA"), "cannot be read as a key"),
        (public(ec_key()) | {"d": "AAAA"}, "holds a secret: a client gives its public key only"),
        ({"kty": "oct", "kid": "k1", "k": "c2VjcmV0"}, "holds a secret"),
        ({"kty": "oct", "kid": "k1"}, "is neither EC (P-384, P-256) nor RSA"),
        (public(rsa_key(bits=1024)), "is an RSA key of less than 2048 bits"),
        (public(rsa_key(), n="?"), "is an RSA key of less than 2048 bits"),
        (SANDBOX_KEY, "is the key of the public CDS Hooks sandbox, which anyone can have: in sandbox mode only"),
        (SANDBOX_KEY | {"kid": "mine"}, "is the key of the public CDS Hooks sandbox"),
    ],
)
def test_a_key_that_cannot_be_trusted_is_refused(
    file: Path, catalog: Catalog, jwk: dict[str, object], told: str
) -> None:
    (problem,) = problems(file, inline(public(rsa_key(), kid="good"), jwk), catalog)
    assert problem.startswith(f"tenants.toml: clients.general.jwks.keys.1: {told}")


@pytest.mark.parametrize("document", ["{}", "[]", "{", '{"keys": []}', '{"keys": 1}', "\xff"])
def test_a_key_file_without_keys_is_refused(file: Path, catalog: Catalog, document: str) -> None:
    (file.parent / "keys.json").write_bytes(document.encode("latin-1"))
    text = '[clients.general]\nissuers = ["https://ehr.example.org"]\njwks_file = "keys.json"\n'
    (problem,) = problems(file, text, catalog)
    assert problem.startswith("tenants.toml: clients.general.jwks_file: ")


def test_a_key_file_that_is_not_there_is_told(file: Path, catalog: Catalog) -> None:
    text = '[clients.general]\nissuers = ["https://ehr.example.org"]\njwks_file = "keys.json"\n'
    assert problems(file, text, catalog) == (
        "tenants.toml: clients.general.jwks_file: keys.json cannot be read: No such file or directory",
    )


def test_the_public_sandbox_is_a_client_in_sandbox_mode_only(file: Path, catalog: Catalog) -> None:
    text = inline(SANDBOX_KEY).replace("https://ehr.example.org", "https://sandbox.cds-hooks.org")
    (tenant,) = read(file, text, catalog, sandbox=True).tenants
    assert tenant.issuers == ("https://sandbox.cds-hooks.org",)
    assert [problem.split(": ")[1] for problem in problems(file, text, catalog)] == ["clients.general.issuers.0"]


# ---- what the service does with it


def test_a_bad_file_stops_the_start_with_all_problems(file: Path, catalog: Catalog) -> None:
    file.write_text(MINIMAL + "profile = 'x'\nmode = 'y'\n")
    with pytest.raises(SettingsError) as refused:
        create_app(
            read_settings({}, database_url="", workers=1, tenants_file=str(file), public_url=BASE), catalog=catalog
        )
    assert [problem.split(": ")[:3] for problem in refused.value.problems] == [
        ["CDS_TENANTS_FILE", "tenants.toml", "clients.general.profile"],
        ["CDS_TENANTS_FILE", "tenants.toml", "clients.general.mode"],
    ]


def test_servers_are_named_in_one_place_only() -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings({"CDS_TENANTS_FILE": "t", "CDS_PUBLIC_URL": BASE, "CDS_FHIR_SERVERS": "https://fhir.example.org"})
    assert refused.value.problems == ("CDS_FHIR_SERVERS: name those of each client in the file of CDS_TENANTS_FILE",)


def test_a_service_that_is_off_for_a_client_is_unknown_to_it(catalog: Catalog, notes: Notes) -> None:
    settings = read_settings({}, database_url="")
    off = Tenant(name="general", services=frozenset({"another"}))
    app = create_app(settings, catalog=catalog, journal=notes, admit=lambda: off)
    answer = app.test_client().post(PATIENT_VIEW, json=healthy_call())
    unknown = app.test_client().post("/cds-services/nothing", json=healthy_call())
    assert (answer.status_code, answer.data) == (404, unknown.data)
    assert (notes.entries[0].outcome, notes.entries[0].tenant) == ("404", "general")


def test_a_client_is_judged_by_its_own_limits(file: Path, catalog: Catalog, notes: Notes) -> None:
    limit = 'correction_mg_dl_per_g_dl = { value = "1.0", unit = "mg/dL per g/dL", reason = "our regression" }\n'
    file.write_text(f"{MINIMAL}[clients.general.criteria]\n{limit}")
    settings = read_settings({}, database_url="", workers=1, tenants_file=str(file), public_url=BASE, explain=True)
    app = create_app(
        settings,
        clock=lambda: NOW,
        new_id=counting_ids(),
        catalog=catalog,
        journal=notes,
        admit=lambda: Tenant(name="general"),
    )
    body = (
        app.test_client().post(PATIENT_VIEW, json=critical_call(fhirServer=..., extension={EXPLAIN: True})).get_json()
    )
    told = body["extension"][ASSESSMENT]
    own = app.extensions["clients"].catalogs["general"]
    assert own.digest != catalog.digest
    assert own.digest in json.dumps(told)
    assert notes.entries[0].content_digest == own.digest


def test_a_certificate_needs_the_header_that_tells_of_it(file: Path, catalog: Catalog) -> None:
    (problem,) = problems(file, MINIMAL + 'certificates = ["ab:cd"]', catalog)
    assert problem.startswith(
        "tenants.toml: clients.general.certificates.0: CDS_CLIENT_CERTIFICATE_HEADER does not say"
    )


# ---- the command


def test_tenants_check_prints_each_client(runner: CliRunner, file: Path) -> None:
    file.write_text(MINIMAL + 'profile = "epic"\nmode = "silent"\n')
    result = runner.invoke(main, ["tenants", "check", str(file)])
    assert (result.exit_code, result.output) == (
        0,
        "general: epic, silent, issuers https://ehr.example.org/fhir\n1 client(s); the file can be used.\n",
    )
    named = runner.invoke(main, ["tenants", "check"], env={"CDS_TENANTS_FILE": str(file), "CDS_PUBLIC_URL": BASE})
    assert named.output == result.output


def test_tenants_check_prints_every_problem_and_ends_with_2(runner: CliRunner, file: Path) -> None:
    file.write_text(MINIMAL + 'profile = "cerner"\nservices = ["x"]\n')
    result = runner.invoke(main, ["tenants", "check", str(file)])
    assert result.exit_code == 2
    assert [line.split(": ")[1] for line in result.stderr.splitlines()[:2]] == [
        "clients.general.profile",
        "clients.general.services.0",
    ]
    assert result.stderr.splitlines()[2] == "2 problem(s); the file cannot be used."


def test_tenants_check_without_a_file_says_what_it_needs(runner: CliRunner) -> None:
    result = runner.invoke(main, ["tenants", "check"])
    assert (result.exit_code, result.stderr) == (2, "Name a FILE, or set CDS_TENANTS_FILE.\n")
