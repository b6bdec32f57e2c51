"""SMART on FHIR, the EHR launch on the server's side: from `iss` and `launch` to a patient's data, for one page.

Knows: discovery, PKCE, state, the exchange of the code. The token lives in one function while the data are read: it is
never kept, never in a page, an address or a log.
Must not know: what the data mean; which servers are registered (it is told).
"""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode, urlsplit

import msgspec
import requests

from cds_service.fhir.client import FhirServer, Limits
from cds_service.fhir.gather import Query
from cds_service.outgoing.body import TooLate, TooMuch, read_body
from cds_service.outgoing.session import Session
from cds_service.pages.shelf import Shelf

_KINDS: Final = (
    "Patient",
    "Observation",
    "Condition",
    "MedicationRequest",
    "MedicationStatement",
    "Procedure",
    "Encounter",
)
_SECONDS: Final = 10
_LARGEST: Final = 64 * 1024


class LaunchFailed(Exception):
    """The launch cannot go on; the text is for the person in front of the page and repeats nothing that came."""


class _Configuration(msgspec.Struct):
    """What the EHR says of itself in .well-known/smart-configuration."""

    authorization_endpoint: str
    token_endpoint: str
    code_challenge_methods_supported: list[str] = []
    capabilities: list[str] = []


class _Pending(msgspec.Struct):
    """A launch between its two halves. browser: hash of what only the browser that began it holds."""

    issuer: str
    verifier: str
    token_endpoint: str
    browser: str


class _Token(msgspec.Struct):
    """What the EHR answers to the code."""

    access_token: str
    token_type: str
    patient: str | None = None
    encounter: str | None = None


@dataclass(frozen=True, slots=True)
class Launched:
    """Whom the EHR has open, and leave to read. It has no repr, because all of it identifies a person or is secret."""

    issuer: str
    patient_id: str
    encounter_id: str | None
    server: FhirServer = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class SmartApp:
    """One registered app. clients: base address of each EHR's FHIR server -> our client id there."""

    clients: Mapping[str, str]
    redirect_uri: str
    shelf: Shelf
    new_id: Callable[[], str]
    session: Session
    clock: Callable[[], float] = time.monotonic

    def begin(self, issuer: str, launch: str) -> tuple[str, str, str]:
        """Return the address to send the browser to, the state, and what that browser must show again.

        Raises: LaunchFailed.
        """
        issuer = issuer.rstrip("/")
        client = self.clients.get(issuer)
        if client is None or not launch:
            raise LaunchFailed("This EHR is not registered with this service (iss), or it sent no launch.")
        told = self._configuration(issuer)
        verifier, browser = self._secret(), self._secret()
        pending = _Pending(issuer, verifier, told.token_endpoint, _hashed(browser))
        state = self.shelf.put(msgspec.json.encode(pending))
        if state is None:
            raise LaunchFailed("The launch could not be kept in mind; try again.")
        suffix = "rs" if "permission-v2" in told.capabilities else "read"
        asked = {
            "response_type": "code",
            "client_id": client,
            "redirect_uri": self.redirect_uri,
            "launch": launch,
            "scope": " ".join(["launch", *(f"patient/{kind}.{suffix}" for kind in _KINDS)]),
            "state": state,
            "aud": issuer,
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        joint = "&" if urlsplit(told.authorization_endpoint).query else "?"
        return told.authorization_endpoint + joint + urlencode(asked), state, browser

    def finish(self, state: str, code: str, browser: str) -> Launched:
        """Return whom the EHR has open, and a server that may be read for it. A state is good for one browser, once.

        Raises: LaunchFailed.
        """
        kept = self.shelf.take(state)
        if kept is None:
            raise LaunchFailed("This launch is unknown, was used already, or took longer than 15 minutes.")
        pending = msgspec.json.decode(kept, type=_Pending)
        if not browser or _hashed(browser) != pending.browser:
            raise LaunchFailed("This launch was begun in another browser.")
        if pending.issuer not in self.clients or not code:
            raise LaunchFailed("The EHR sent no code.")
        token = self._token(pending, code)
        if token.token_type.lower() != "bearer" or not token.patient:
            raise LaunchFailed("The EHR did not say which patient is open.")
        server = FhirServer(pending.issuer, token.access_token, self.session, Limits(total_s=_SECONDS))
        return Launched(pending.issuer, token.patient, token.encounter, server)

    def _secret(self) -> str:
        return (self.new_id() + self.new_id()).replace("-", "")

    def _configuration(self, issuer: str) -> _Configuration:
        server = FhirServer(issuer, None, self.session, Limits(total_s=_SECONDS))
        (answer,) = server.read([Query("smart", ".well-known/smart-configuration")])
        try:
            told = msgspec.json.decode(answer.pages[0] if answer.pages else b"", type=_Configuration)
        except msgspec.MsgspecError:
            raise LaunchFailed("The EHR's SMART configuration could not be read.") from None
        if "S256" not in told.code_challenge_methods_supported:
            raise LaunchFailed("The EHR does not offer PKCE with S256, which this service asks for.")
        plain = urlsplit(issuer).scheme == "http"  # registered so in sandbox mode only
        for endpoint in (told.authorization_endpoint, told.token_endpoint):
            if urlsplit(endpoint).scheme not in (("http", "https") if plain else ("https",)):
                raise LaunchFailed("The EHR names an endpoint without https.")
        return told

    def _token(self, pending: _Pending, code: str) -> _Token:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.clients[pending.issuer],
            "code_verifier": pending.verifier,
        }
        try:
            with self.session.post(
                pending.token_endpoint,
                data=form,
                headers={"Accept": "application/json"},
                timeout=_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = read_body(response, deadline=self.clock() + _SECONDS, room=_LARGEST, clock=self.clock)
                if response.status_code != requests.codes.ok:
                    raise LaunchFailed("The EHR did not accept the code; open the page from the card again.")
            return msgspec.json.decode(body, type=_Token)
        except (requests.RequestException, OSError, TooLate, TooMuch):
            raise LaunchFailed("The EHR's token endpoint could not be reached.") from None
        except msgspec.MsgspecError:
            raise LaunchFailed("The EHR's answer to the code could not be read.") from None


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
