"""The settings of the service: each option once, with its default and its help.

Knows: names, defaults, which values fit together. Read from environment variables that begin with CDS_.
Must not know: what the options do. Longer than 300 lines because every option stands here once, with its help.
"""

import difflib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from cds_service.trust.addresses import is_loopback
from cds_service.trust.tenants import Network

PREFIX = "CDS_"
SHORTEST_KEY = 32
UNAUTHENTICATED = "yes-i-understand"
ALGORITHMS = frozenset({"ES256", "ES384", "RS256", "RS384"})


class SettingsError(Exception):
    """The settings cannot be used; one line per problem."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """All options. In the environment each name is in capitals behind CDS_, for instance CDS_PORT."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    sandbox: bool = Field(
        default=False,
        description="For trying out with synthetic patients only: the caller may set the clock, "
        "pages of this machine may call the service, the assessment is given when asked for.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*[^\s/?#])?)?$",
        description="Base address under which clients reach the service, without a slash at the end, for instance "
        "https://cds.example.org. Links on cards and the audience of tokens are built from it.",
    )
    pages: bool | None = Field(
        default=None,
        description="Show the pages for people: /knowledge, in sandbox mode /playground and more. "
        "Default: in sandbox mode, and where CDS_PUBLIC_URL is set.",
    )
    smart_clients: str = Field(
        default="",
        description="EHRs that may launch the page behind a card as a SMART app: base address of the FHIR server and "
        "our client id there, joined by =, several separated by commas, for instance https://ehr.example.org/fhir=abc. "
        "Register CDS_PUBLIC_URL with /app/launch and /app/callback.",
    )
    frame_ancestors: str = Field(
        default="",
        pattern=r"^([^\s;,'\"]+( [^\s;,'\"]+)*)?$",
        description="Web origins of EHRs that may show our pages inside their own window, separated by blanks. "
        "Empty: none may.",
    )
    workers: int = Field(default=2, ge=1, le=64, description="Server processes.")
    blocking_threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Requests that one process works on at a time. Default: 1, or 4 where FHIR servers may be read, "
        "for a thread that waits for one is no use to others.",
    )
    waiting_calls: int = Field(
        default=16,
        ge=0,
        le=512,
        description="Calls of each process that may wait for their turn, up to five seconds; one more gets 503 with "
        "Retry-After. Each has a thread, and so has a caller that is slow to send.",
    )
    allow_unauthenticated: str = Field(
        default="",
        description="Without CDS_TENANTS_FILE, and in sandbox mode, callers are not checked, so the service listens on "
        f"this machine only. The value {UNAUTHENTICATED} lifts that, for a network in which only trusted clients can "
        "reach it.",
    )
    tenants_file: str = Field(
        default="",
        description="File (TOML) that names each client: issuer, keys, FHIR servers, card profile, services, limits; "
        "form in docs/security.md. `cds-service tenants check` reads it.",
    )
    token_algorithms: str = Field(
        default="ES384,RS384",
        description="Algorithms of the tokens that are accepted, separated by commas; ES256 and RS256 may be added.",
    )
    token_skew_s: float = Field(
        default=60, ge=0, le=300, description="How far the clock of a client may differ from ours, in seconds."
    )
    discovery_token: bool = Field(
        default=False,
        description="Ask for a token on the discovery address too, and list what is switched on for its client.",
    )
    client_certificate_header: str = Field(
        default="",
        pattern="^([A-Za-z][A-Za-z0-9-]*)?$",
        description="Header in which a proxy that checks client certificates (mutual TLS) gives the fingerprint or the "
        "subject of the certificate; the proxy must remove it from what callers send. "
        "Clients with `certificates` in the tenants file need one of these beside the token.",
    )
    ca_bundle: str = Field(
        default="",
        description="File (PEM) of the authorities that are trusted when the service calls FHIR servers and key "
        "addresses. Default: those that come with the package certifi.",
    )
    https_proxy: str = Field(
        default="",
        pattern=r"^(https?://[^\s/?#]+)?$",
        description="Proxy for the calls that the service makes itself, for instance http://proxy.example.org:3128.",
    )
    no_proxy: str = Field(
        default="",
        description="Hosts that are reached without the proxy, separated by commas; "
        "hospital.example includes what ends in .hospital.example.",
    )
    allowed_origins: str = Field(
        default="",
        description="Web origins that may call the service from a browser, separated by commas, "
        "for instance https://sandbox.cds-hooks.org. In sandbox mode pages of this machine may always.",
    )
    database_url: SecretStr = Field(
        default=SecretStr("sqlite:///var/journal.sqlite3"),
        description="Where decisions are recorded (SQLAlchemy URL: SQLite or PostgreSQL). Empty: nowhere.",
    )
    hash_key: SecretStr = Field(
        default=SecretStr(""),
        description="Key of at least 32 characters for the hashes under which acknowledged guidance is remembered. "
        "Without it cards are shown each time. In sandbox mode with SQLite one is made and kept beside the database.",
    )
    snooze: bool | None = Field(
        default=None,
        description="Do not repeat guidance that the same user has acknowledged on the same patient, until there is a "
        "new pair, a higher tier or anything else new, or the time is up (CL-125). Default: yes, in sandbox mode no.",
    )
    snooze_inpatient_h: float = Field(
        default=24,
        ge=0,
        le=168,
        description="How long an acknowledgement counts in hospital, emergency room, or where the place is not known, "
        "in hours: a day of rounds. 0: not at all.",
    )
    snooze_outpatient_h: float = Field(
        default=720,
        ge=0,
        le=2160,
        description="How long it counts in outpatient care, in hours: 30 days, about from one visit to the next. "
        "0: not at all.",
    )
    snooze_critical_h: float = Field(
        default=24,
        ge=0,
        le=720,
        description="The longest that it counts for a critical card anywhere, in hours: such a card may come once a "
        "day too often, never a month too late. 0: critical cards are shown each time.",
    )
    keep_comments: bool = Field(
        default=False,
        description="Keep the words that users write when they override a card. They may tell of patients; without "
        "this only is kept that there were some.",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        description="Days after which `cds-service db prune` removes rows, unless it is told otherwise. "
        "Nothing is removed by itself.",
    )
    local_mappings_dir: str = Field(
        default="", description="Folder with the site's own codes; they may add to the shipped tables, never redefine."
    )
    max_body_bytes: int = Field(
        default=16 * 1024 * 1024,
        ge=1024,
        description="Largest request body that is read; a larger one is refused with 413.",
    )
    explain: bool | None = Field(
        default=None,
        description="Give the assessment on the response to callers who ask for it, also when there is no card. "
        "Default: as sandbox.",
    )
    validate_evidence: bool | None = Field(
        default=None,
        description="Note in the assessment where the resources that it rests on are no valid FHIR R4; slower. "
        "Default: as sandbox.",
    )
    hello: bool = Field(
        default=False,
        description="Offer the service `hello` too, which says that the connection works and looks at no data; for the "
        "first test of a connection.",
    )
    prefetch_by_input: bool = Field(
        default=False,
        description="List one prefetch key for each laboratory input in place of one for each group of inputs.",
    )
    prefetch_count: int | None = Field(
        default=None, ge=10, le=5000, description="Page size (_count) that prefetch templates ask for. Default: none."
    )
    prefetch_look_back_days: int | None = Field(
        default=None,
        ge=400,
        le=5000,
        description="Ask in prefetch for laboratory results of the last so many days. It needs a token of CDS Hooks "
        "3.0 (today() - N days): clients of 2.0 may not fill it, and then leave the keys out. Default: all results.",
    )
    fhir_servers: str = Field(
        default="",
        description="Base addresses of the FHIR servers that may be read when prefetched data lack, separated by "
        "commas. A call that names another gets 412 where data lack. "
        "In sandbox mode servers of this machine may always be read.",
    )
    fhir_networks: str = Field(
        default="",
        description="Networks of the inner house in which FHIR servers may lie, separated by commas, for instance "
        "10.20.0.0/16. A listed server whose name leads to another address that is not public is not asked.",
    )
    fhir_timeout_s: float = Field(
        default=8, gt=0, le=60, description="Longest time for all reads of one call from a FHIR server, in seconds."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="What a reader of /metrics must show (Authorization: Bearer ...). Empty: there is no such address, "
        "but in sandbox mode everyone may read it.",
    )
    otel_endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="Base address of an OpenTelemetry collector (OTLP over HTTP), for instance "
        "http://127.0.0.1:4318; needs the extra otel. Empty: no traces.",
    )
    audit_file: str = Field(
        default="",
        description="File to which one FHIR AuditEvent a call is appended, with user and patient; on a local disk. "
        "Empty: no audit log.",
    )
    log_level: str = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe level that is logged."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what read_settings passes and nothing else, so that tests do not depend on the machine."""
        return (init_settings,)

    @model_validator(mode="after")
    def _listen_at_home(self) -> Self:
        if not self.checks_callers and self.allow_unauthenticated != UNAUTHENTICATED:
            where = None if is_loopback(self.host) else f"CDS_HOST: {self.host}"
            public = urlsplit(self.public_url).hostname or ""
            where = where or (f"CDS_PUBLIC_URL: {public}" if public and not is_loopback(public) else None)
            if where:
                raise ValueError(
                    f"{where} can be reached from other machines, but callers are not checked. Name the clients in "
                    f"CDS_TENANTS_FILE (without sandbox mode), listen on 127.0.0.1, or set "
                    f"CDS_ALLOW_UNAUTHENTICATED={UNAUTHENTICATED} where only trusted clients can reach it"
                )
        return self

    @field_validator("fhir_networks")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for each in _listed(text):
            try:
                ip_network(each)
            except ValueError:
                raise ValueError(f"{each} is no network such as 10.20.0.0/16") from None
        return text

    @field_validator("ca_bundle")
    @classmethod
    def _is_there(cls, text: str) -> str:
        if text and not Path(text).is_file():
            raise ValueError("there is no such file")
        return text

    @model_validator(mode="after")
    def _check_tokens(self) -> Self:
        for name in ("fhir_servers", "fhir_networks"):
            if self.tenants_file and getattr(self, name):
                raise ValueError(f"CDS_{name.upper()}: name those of each client in the file of CDS_TENANTS_FILE")
        if self.tenants_file and not self.public_url:
            raise ValueError("CDS_PUBLIC_URL: is needed with CDS_TENANTS_FILE; the audience of tokens is built from it")
        if self.checks_callers and self.workers > 1 and not self.database_url.get_secret_value():
            raise ValueError(
                "CDS_DATABASE_URL: is needed with CDS_TENANTS_FILE, for the processes (CDS_WORKERS) share which tokens "
                "were seen"
            )
        strange = sorted(set(self.algorithms) - ALGORITHMS)
        if strange or not self.algorithms:
            raise ValueError(f"CDS_TOKEN_ALGORITHMS: takes {', '.join(sorted(ALGORITHMS))} only")
        return self

    @property
    def checks_callers(self) -> bool:
        """Whether a caller has to prove to be a client."""
        return bool(self.tenants_file) and not self.sandbox

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The accepted algorithms of tokens, one by one."""
        return _listed(self.token_algorithms)

    @property
    def direct_hosts(self) -> tuple[str, ...]:
        """The hosts that are reached without the proxy, one by one."""
        return _listed(self.no_proxy)

    @model_validator(mode="after")
    def _launch_in_the_open(self) -> Self:
        for issuer, client in self.smart.items():
            address = urlsplit(issuer)
            at_home = self.sandbox and address.scheme == "http" and is_loopback(address.hostname or "")
            if not client or not address.hostname or not (address.scheme == "https" or at_home):
                raise ValueError(f"CDS_SMART_CLIENTS: expected https://...=client id, got {issuer!r}")
        if self.smart and not self.public_url:
            raise ValueError("CDS_SMART_CLIENTS: an EHR has to know where to send the browser back; set CDS_PUBLIC_URL")
        return self

    @property
    def smart(self) -> dict[str, str]:
        """Our client id at each EHR that may launch us, by the base address of its FHIR server."""
        pairs = (each.rpartition("=") for each in _listed(self.smart_clients))
        return {issuer.strip().rstrip("/"): client.strip() for issuer, _, client in pairs}

    @model_validator(mode="after")
    def _key_fits(self) -> Self:
        length = len(self.hash_key.get_secret_value())
        if 0 < length < SHORTEST_KEY:
            raise ValueError(f"CDS_HASH_KEY: has {length} characters, too few; expected {SHORTEST_KEY} or more")
        if self.snooze and not length and not self.sandbox:
            raise ValueError("CDS_SNOOZE: needs CDS_HASH_KEY, for acknowledgements are remembered under keyed hashes")
        return self

    @property
    def snoozes(self) -> bool:
        """Whether acknowledged guidance is not repeated."""
        return not self.sandbox if self.snooze is None else self.snooze

    @property
    def explains(self) -> bool:
        """Whether the response carries the assessment when the caller asks."""
        return self.sandbox if self.explain is None else self.explain

    @property
    def validates(self) -> bool:
        """Whether the evidence is validated on the side."""
        return self.sandbox if self.validate_evidence is None else self.validate_evidence

    @property
    def counts(self) -> bool:
        """Whether numbers are kept for /metrics."""
        return self.sandbox or bool(self.metrics_token.get_secret_value())

    @property
    def shows_pages(self) -> bool:
        """Whether the pages for people are on."""
        return self.sandbox or bool(self.public_url) if self.pages is None else self.pages

    @property
    def readable_servers(self) -> tuple[str, ...]:
        """The base addresses of the FHIR servers that may be read, one by one."""
        return _listed(self.fhir_servers)

    @property
    def readable_networks(self) -> tuple[Network, ...]:
        """The networks in which FHIR servers may lie, one by one."""
        return tuple(ip_network(text) for text in _listed(self.fhir_networks))

    @property
    def threads(self) -> int:
        """Requests that one process works on at a time."""
        waits = bool(self.readable_servers or self.tenants_file) or self.sandbox
        return self.blocking_threads or (4 if waits else 1)

    @property
    def origins(self) -> tuple[str, ...]:
        """The allowed web origins, one by one."""
        return _listed(self.allowed_origins)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def read_settings(environ: Mapping[str, str], **given: object) -> Settings:
    """Settings from the environment; what is given (the command line) wins.

    Raises: SettingsError with all problems; an unknown CDS_ variable is one.
    """
    values: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value for name, value in environ.items() if name.startswith(PREFIX)
    }
    problems = [_unknown(name) for name in sorted(values) if name not in Settings.model_fields]
    known = {name: value for name, value in values.items() if name in Settings.model_fields}
    known.update((name, value) for name, value in given.items() if value is not None)
    try:
        settings = Settings(**known)
    except ValidationError as error:
        problems += [_told(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False)]
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"did you mean {PREFIX}{near[0].upper()}?" if near else "see docs/settings.md for the options"
    return f"{PREFIX}{name.upper()} is not a setting; {hint}"


def _told(place: tuple[int | str, ...], message: str) -> str:
    name = f"{PREFIX}{str(place[0]).upper()}: " if place else ""
    return name + message.removeprefix("Value error, ")
