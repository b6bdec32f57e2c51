"""The file that names each client (CDS_TENANTS_FILE, TOML): read, checked, all problems told at once.

Knows: the keys of the file, what addresses and keys must look like.
Must not know: which profiles, services and limits there are; the caller tells or checks.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from cds_service.trust.addresses import is_loopback
from cds_service.trust.jwks import SANDBOX_ISSUER, BadKey, key_of
from cds_service.trust.tenants import Jwk, Network, Tenant

_CLIENT: Final = re.compile(r"[a-z][a-z0-9-]{0,39}")
_SHARED_NAMES: Final = frozenset({"default"})  # of callers that are not checked


class TenantsError(Exception):
    """The file cannot be used. problems: each as file: key: text."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a client can be given.

    sandbox: whether the public key of the CDS Hooks sandbox, whose private half anyone can have, may be a client's.
    reads_certificates: whether a proxy tells of client certificates.
    limit_problems: what is wrong with the clinical limits of a client (name, limits), each as key: text.
    """

    profiles: Collection[str]
    services: Collection[str]
    sandbox: bool
    reads_certificates: bool
    limit_problems: Callable[[str, Mapping[str, Any]], Sequence[str]]


def _address(text: str) -> str:
    """An https address; http only for this machine, whether it may be used is decided elsewhere."""
    try:
        parts = urlsplit(text)
        host, plain = parts.hostname or "", parts.username is None and not parts.query and not parts.fragment
        usable = bool(host) and plain and parts.port != 0 and ".." not in parts.path
    except ValueError:
        usable, host, parts = False, "", urlsplit("")
    if not usable or not text.isascii() or not text.isprintable() or any(mark in text for mark in " \\"):
        raise ValueError("is no address such as https://ehr.example.org/fhir (no user name, query or fragment)")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError("is not https")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("is no network such as 10.20.0.0/16") from None
    return text


def _offer(info: ValidationInfo) -> Offer:
    offer = (info.context or {}).get("offer")
    assert isinstance(offer, Offer)  # noqa: S101  read_tenants passes it; this tells the type checker
    return offer


def _issuer(text: str, info: ValidationInfo) -> str:
    if text == SANDBOX_ISSUER and not _offer(info).sandbox:
        raise ValueError(f"{SANDBOX_ISSUER} signs with a key that anyone can have: in sandbox mode only")
    return text


def _server(text: str, info: ValidationInfo) -> str:
    if urlsplit(text).scheme != "https" and not _offer(info).sandbox:
        raise ValueError("is not https; http is for sandbox mode only")
    return text


def _certificate(text: str, info: ValidationInfo) -> str:
    if not _offer(info).reads_certificates:
        raise ValueError("CDS_CLIENT_CERTIFICATE_HEADER does not say where a proxy puts the certificate of a client")
    return text


def _profile(text: str, info: ValidationInfo) -> str:
    return _one_of(text, _offer(info).profiles)


def _service(text: str, info: ValidationInfo) -> str:
    return _one_of(text, _offer(info).services)


def _one_of(text: str, known: Collection[str]) -> str:
    if text not in known:
        raise ValueError(f"{text!r} is not one of: {', '.join(sorted(known))}")
    return text


_Text = Annotated[str, Field(min_length=1, max_length=500)]
_Address = Annotated[str, AfterValidator(_address)]
_Issuer = Annotated[_Text, AfterValidator(_issuer)]
_Server = Annotated[_Address, AfterValidator(_server)]


class _Entry(BaseModel):
    """One table [clients.NAME]."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    issuers: Annotated[list[_Issuer], Field(min_length=1)]
    jwks_urls: list[_Address] = []
    jwks_file: _Text | None = None
    jwks: dict[str, Any] | None = None
    audiences: list[_Text] = []
    certificates: list[Annotated[_Text, AfterValidator(_certificate)]] = []
    fhir_servers: list[_Server] = []
    fhir_networks: list[Annotated[str, AfterValidator(_network)]] = []
    profile: Annotated[str, AfterValidator(_profile)] = "generic"
    mode: Literal["live", "silent"] = "live"
    services: list[Annotated[_Text, AfterValidator(_service)]] | None = None
    criteria: dict[str, Any] = {}


def read_tenants(path: Path, offer: Offer) -> tuple[Tenant, ...]:
    """The clients of the file, in its order.

    Raises: TenantsError with every problem.
    """
    return _Reader(path, offer).read()


class _Reader:
    """One reading of the file; it goes on after each problem."""

    def __init__(self, path: Path, offer: Offer) -> None:
        self.path, self.offer = path, offer
        self.problems: list[str] = []

    def say(self, key: str, text: str) -> None:
        self.problems.append(f"{self.path.name}: {key}: {text}")

    def read(self) -> tuple[Tenant, ...]:
        tenants = [tenant for name, entry in self._clients().items() if (tenant := self._tenant(name, entry))]
        named = Counter(issuer for tenant in tenants for issuer in tenant.issuers)
        for issuer, times in named.items():
            if times > 1:
                self.say("issuers", f"{issuer} is named {times} times; a token must lead to one client")
        if self.problems:
            raise TenantsError(tuple(self.problems))
        return tuple(tenants)

    def _clients(self) -> dict[str, Any]:
        try:
            document = tomllib.loads(self.path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            self.say("file", f"cannot be read: {error.strerror}")
            return {}
        except UnicodeDecodeError:
            self.say("file", "is not UTF-8")
            return {}
        except tomllib.TOMLDecodeError as error:
            self.say("file", f"is not TOML: {error}")
            return {}
        for key in document.keys() - {"clients"}:
            self.say(key, "is unknown; each client is a table [clients.NAME]")
        clients = document.get("clients")
        if not isinstance(clients, dict) or not clients:
            self.say("clients", "there is none; each client is a table [clients.NAME]")
            return {}
        return clients

    def _tenant(self, name: str, table: Any) -> Tenant | None:
        key = f"clients.{name}"
        if not _CLIENT.fullmatch(name) or name in _SHARED_NAMES:
            self.say(
                key, "is no name for a client: a small letter, then letters, digits and -, at most 40; not default"
            )
        self._check_limits(name, table)
        try:
            entry = _Entry.model_validate(table, context={"offer": self.offer})
        except ValidationError as error:
            for problem in error.errors(include_input=False, include_url=False):
                place = ".".join(str(part) for part in (key, *problem["loc"]))
                self.say(place, problem["msg"].removeprefix("Value error, "))
            return None
        return Tenant(
            name=name,
            profile=entry.profile,
            silent=entry.mode == "silent",
            services=None if entry.services is None else frozenset(entry.services),
            issuers=tuple(entry.issuers),
            audiences=tuple(entry.audiences),
            certificates=tuple(entry.certificates),
            key_addresses=tuple(entry.jwks_urls),
            keys=self._keys(key, entry),
            fhir_servers=tuple(entry.fhir_servers),
            fhir_networks=tuple(_as_network(text) for text in entry.fhir_networks),
            limits=entry.criteria,
        )

    def _check_limits(self, name: str, table: Any) -> None:
        limits = table.get("criteria") if isinstance(table, dict) else None
        for problem in self.offer.limit_problems(name, limits) if isinstance(limits, dict) else ():
            self.say(f"clients.{name}.criteria", problem)

    def _keys(self, key: str, entry: _Entry) -> tuple[Jwk, ...]:
        if entry.jwks is not None and entry.jwks_file is not None:
            self.say(key, "has both jwks and jwks_file; one of them")
        if entry.jwks is not None:
            return self._key_set(f"{key}.jwks", entry.jwks)
        if entry.jwks_file is not None:
            return self._key_file(f"{key}.jwks_file", self.path.parent / entry.jwks_file)
        if not entry.jwks_urls:
            self.say(key, "has no keys; jwks_urls, jwks_file or jwks")
        return ()

    def _key_file(self, key: str, path: Path) -> tuple[Jwk, ...]:
        try:
            return self._key_set(key, json.loads(path.read_bytes()))
        except OSError as error:
            self.say(key, f"{path.name} cannot be read: {error.strerror}")
        except ValueError:  # no JSON, no UTF-8
            self.say(key, f"{path.name} is not JSON")
        return ()

    def _key_set(self, key: str, document: Any) -> tuple[Jwk, ...]:
        keys = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(keys, list) or not keys:
            self.say(key, 'is no JSON Web Key Set: {"keys": [...]} with at least one key')
            return ()
        for number, jwk in enumerate(keys):
            try:
                key_of(jwk, sandbox=self.offer.sandbox)
            except BadKey as problem:
                self.say(f"{key}.keys.{number}", str(problem))
        return tuple(keys)


def _as_network(text: str) -> Network:
    return ip_network(text)
