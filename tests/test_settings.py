"""Each option once; what cannot be used is told with its name."""

import pytest

from cds_service.settings import Settings, SettingsError, read_settings


def problems(environ: dict[str, str], **given: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, **given)
    return caught.value.problems


def test_without_anything_the_service_listens_at_home_and_is_no_sandbox() -> None:
    settings = read_settings({})
    assert (settings.host, settings.port, settings.sandbox, settings.explains) == ("127.0.0.1", 8000, False, False)
    assert settings.database_url.get_secret_value() == "sqlite:///var/journal.sqlite3"
    assert settings.origins == ()


def test_the_environment_is_read_and_the_command_line_wins() -> None:
    environ = {"CDS_PORT": "8123", "CDS_SANDBOX": "true", "CDS_WORKERS": "4", "PATH": "/bin"}
    settings = read_settings(environ, port=9000, workers=None)
    assert (settings.port, settings.sandbox, settings.workers) == (9000, True, 4)


@pytest.mark.parametrize(
    ("sandbox", "explain", "explains"),
    [("true", None, True), ("false", None, False), ("true", "false", False), ("false", "true", True)],
)
def test_explaining_follows_the_sandbox_unless_it_is_set(sandbox: str, explain: str | None, explains: bool) -> None:
    environ = {"CDS_SANDBOX": sandbox} | ({"CDS_EXPLAIN": explain} if explain else {})
    assert read_settings(environ).explains is explains


def test_an_unknown_variable_is_an_error_with_the_nearest_name() -> None:
    assert problems({"CDS_PROT": "1"}) == ("CDS_PROT is not a setting; did you mean CDS_PORT?",)
    assert problems({"CDS_XYZZY": ""}) == ("CDS_XYZZY is not a setting; see docs/settings.md for the options",)


def test_all_problems_are_told_at_once_with_their_names() -> None:
    found = problems({"CDS_PORT": "x", "CDS_WORKERS": "0", "CDS_LOGLEVEL": "INFO"})
    assert [problem.partition(":")[0] for problem in found] == [
        "CDS_LOGLEVEL is not a setting; did you mean CDS_LOG_LEVEL?",
        "CDS_PORT",
        "CDS_WORKERS",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "cds.example.org"])  # noqa: S104  refused, that is the point
def test_an_address_that_others_can_reach_needs_consent(host: str) -> None:
    (problem,) = problems({"CDS_HOST": host, "CDS_SANDBOX": "true"})
    assert problem == (
        f"CDS_HOST: {host} can be reached from other machines, but callers are not checked. Name the clients in "
        "CDS_TENANTS_FILE (without sandbox mode), listen on 127.0.0.1, or set "
        "CDS_ALLOW_UNAUTHENTICATED=yes-i-understand where only trusted clients can reach it"
    )
    assert read_settings({"CDS_HOST": host, "CDS_ALLOW_UNAUTHENTICATED": "yes-i-understand"}).host == host
    assert read_settings({"CDS_HOST": host, "CDS_TENANTS_FILE": "t", "CDS_PUBLIC_URL": "https://x.org"}).host == host


def test_a_public_address_needs_consent_too() -> None:
    (problem,) = problems({"CDS_PUBLIC_URL": "https://cds.example.org/base"})
    assert problem.startswith("CDS_PUBLIC_URL: cds.example.org can be reached from other machines")
    consent = {"CDS_ALLOW_UNAUTHENTICATED": "yes-i-understand"}
    assert read_settings({"CDS_PUBLIC_URL": "https://cds.example.org"} | consent).public_url
    assert read_settings({"CDS_PUBLIC_URL": "http://127.0.0.1:8000"}).public_url


def test_sandbox_mode_checks_nobody_although_there_are_clients() -> None:
    clients = {"CDS_TENANTS_FILE": "t", "CDS_PUBLIC_URL": "https://cds.example.org"}
    assert read_settings(clients).checks_callers
    (problem,) = problems(clients | {"CDS_SANDBOX": "true"})
    assert "callers are not checked" in problem


def test_clients_need_the_address_that_they_call() -> None:
    assert problems({"CDS_TENANTS_FILE": "t"}) == (
        "CDS_PUBLIC_URL: is needed with CDS_TENANTS_FILE; the audience of tokens is built from it",
    )


@pytest.mark.parametrize("algorithms", ["none", "HS256", "ES384,HS384", "EdDSA", ""])
def test_algorithms_that_anyone_could_use_are_refused(algorithms: str) -> None:
    (problem,) = problems({"CDS_TOKEN_ALGORITHMS": algorithms})
    assert problem == "CDS_TOKEN_ALGORITHMS: takes ES256, ES384, RS256, RS384 only"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_an_address_of_this_machine_needs_none(host: str) -> None:
    assert read_settings({"CDS_HOST": host}).host == host


def test_a_password_is_never_printed() -> None:
    settings = read_settings({"CDS_DATABASE_URL": "postgresql://cds:hunter2@db/cds"})
    assert "hunter2" not in repr(settings) + str(settings) + settings.model_dump_json()
    # a value that does not fit is not repeated either
    assert "hunter2" not in "".join(problems({"CDS_PORT": "hunter2"}))


def test_every_option_has_help_and_a_default() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert not field.is_required(), name


@pytest.mark.parametrize(
    ("given", "threads"),
    [
        ({}, 1),
        ({"CDS_FHIR_SERVERS": "https://fhir.example.org/r4"}, 4),
        ({"CDS_SANDBOX": "true"}, 4),
        ({"CDS_FHIR_SERVERS": "https://fhir.example.org/r4", "CDS_BLOCKING_THREADS": "3"}, 3),
    ],
)
def test_a_process_works_on_several_calls_only_where_it_may_wait_for_a_fhir_server(
    given: dict[str, str], threads: int
) -> None:
    assert read_settings(given).threads == threads
