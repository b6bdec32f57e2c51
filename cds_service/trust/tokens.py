"""Is this token a client's, for this address, now, and for the first time?

Knows: JSON Web Tokens as CDS Hooks wants them. Order: form, issuer, algorithm, key, signature, claims, first use.
Nothing of a token is believed before its signature holds, but the issuer's name, by which the keys are chosen.
Must not know: HTTP; where keys lie.
Source: CDS Hooks 2.0, "Trusting CDS Clients"; RFC 7515, RFC 7519, RFC 8725.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from cds_service.trust.jwks import Key
from cds_service.trust.key_sets import NoKeys
from cds_service.trust.replay import Memory
from cds_service.trust.tenants import Tenant

LONGEST_TOKEN: Final = 8192
LONGEST_LIFE: Final = timedelta(hours=1)  # so that the memory of seen tokens stays small
_BEARER: Final = re.compile(r"(?i:bearer) +([\w-]+\.[\w-]+\.[\w-]+) *", re.ASCII)
_CLAIMS: Final = ("iss", "aud", "exp", "iat", "jti")
_LONGEST_ID: Final = 256


class Refused(Exception):
    """The caller is no client. reason: for the log, without a value of the token; tenant: when its issuer is known."""

    def __init__(self, reason: str, tenant: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.tenant = reason, tenant


class CannotTell(Exception):
    """The caller may be a client or not: what is needed to tell is out of reach."""


class Keys(Protocol):
    """The keys at one address, or those that were exchanged out of band."""

    def find(self, kid: str) -> Key | None:
        """The key of this id. Raises: key_sets.NoKeys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for all clients. algorithms: names, a subset of jwks.ALGORITHMS. skew: how far clocks may differ."""

    algorithms: Collection[str]
    skew: timedelta
    public_url: str


class Tokens:
    """Checks tokens. keys_at: the key set of each allow-listed address; pinned: by the name of the client."""

    def __init__(
        self,
        tenants: Collection[Tenant],
        rules: Rules,
        *,
        keys_at: Mapping[str, Keys],
        pinned: Mapping[str, Keys],
        memory: Memory,
        clock: Callable[[], datetime],
    ) -> None:
        self._by_issuer = {issuer: tenant for tenant in tenants for issuer in tenant.issuers}
        self._rules, self._memory, self._clock = rules, memory, clock
        self._keys_at, self._pinned = keys_at, pinned
        self._jws = PyJWS(algorithms=list(rules.algorithms))

    def client(self, authorization: str, path: str) -> Tenant:
        """The client that this Authorization header proves, for a call of the path.

        Raises: Refused, CannotTell.
        """
        token = _token(authorization)
        header, claims = _read(token)
        tenant = self._tenant(claims)
        try:
            self._check_signature(token, header, self._key(header, tenant))
            self._check_claims(claims, tenant, path)
        except Refused as refused:
            raise Refused(refused.reason, tenant.name) from None
        return tenant

    def _tenant(self, claims: Mapping[str, Any]) -> Tenant:
        issuer = claims.get("iss")
        tenant = self._by_issuer.get(issuer) if isinstance(issuer, str) else None
        if tenant is None:
            raise Refused("iss is not a client's")
        return tenant

    def _key(self, header: Mapping[str, Any], tenant: Tenant) -> Key:
        algorithm, kid, address = header.get("alg"), header.get("kid"), header.get("jku")
        if algorithm not in self._rules.algorithms:
            raise Refused("alg is not allowed")
        if not isinstance(kid, str) or not 0 < len(kid) <= _LONGEST_ID:
            raise Refused("kid lacks")
        if address is not None and address not in tenant.key_addresses:
            raise Refused("jku is not the client's")
        key = self._find(kid, tenant, address)
        if key is None:
            raise Refused("kid is unknown")
        if algorithm not in key.algorithms:
            raise Refused("alg does not fit the key")
        return key

    def _find(self, kid: str, tenant: Tenant, address: str | None) -> Key | None:
        """The key at one of the addresses. That it is at none is known only when all of them could be asked."""
        away = False
        for keys in self._sources(tenant, address):
            try:
                key = keys.find(kid)
            except NoKeys:
                away = True
            else:
                if key is not None:
                    return key
        if away:
            raise CannotTell("the keys of the client")
        return None

    def _sources(self, tenant: Tenant, address: str | None) -> tuple[Keys, ...]:
        if tenant.name in self._pinned:
            return (self._pinned[tenant.name],)
        return tuple(self._keys_at[each] for each in tenant.key_addresses if address in {None, each})

    def _check_signature(self, token: str, header: Mapping[str, Any], key: Key) -> None:
        if "crit" in header:
            raise Refused("crit asks for what is not known here")
        try:
            self._jws.decode_complete(token, key=key.material, algorithms=[header["alg"]])
        except (PyJWTError, ValueError, TypeError):
            raise Refused("signature does not hold") from None

    def _check_claims(self, claims: Mapping[str, Any], tenant: Tenant, path: str) -> None:
        for name in _CLAIMS:
            if name not in claims:
                raise Refused(f"{name} lacks")
        if not self._is_for_us(claims["aud"], tenant, path):
            raise Refused("aud is another address")
        now, skew = self._clock().astimezone(UTC), self._rules.skew
        until, since = _instant(claims["exp"], "exp"), _instant(claims["iat"], "iat")
        if until <= now - skew:
            raise Refused("expired")
        if since > now + skew or ("nbf" in claims and _instant(claims["nbf"], "nbf") > now + skew):
            raise Refused("from the future")
        if until > now + LONGEST_LIFE + skew:
            raise Refused("lives longer than an hour")
        token_id = claims["jti"]
        if not isinstance(token_id, str) or not 0 < len(token_id) <= _LONGEST_ID:
            raise Refused("jti is no id")
        fingerprint = hashlib.sha256(f"{claims['iss']}\0{token_id}".encode("utf-8", "surrogatepass")).hexdigest()
        first = self._memory.first_time(fingerprint, until=until + skew, now=now)
        if first is None:
            raise CannotTell("whether the token was seen")
        if not first:
            raise Refused("seen before")

    def _is_for_us(self, audience: Any, tenant: Tenant, path: str) -> bool:
        named = audience if isinstance(audience, list) else [audience]
        ours = {self._rules.public_url + path} if self._rules.public_url else set()
        ours.update(tenant.audiences, (each + path for each in tenant.audiences))
        return any(isinstance(each, str) and each in ours for each in named)


def _token(authorization: str) -> str:
    if len(authorization) > LONGEST_TOKEN:
        raise Refused("token is too long")
    found = _BEARER.fullmatch(authorization)
    if found is None:
        raise Refused("no bearer token")
    return found[1]


def _read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, not yet to be believed."""
    header, payload, _ = token.split(".")
    try:
        parts = [
            json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), object_pairs_hook=_once)
            for part in (header, payload)
        ]
    except (ValueError, RecursionError):
        raise Refused("token is no JWT") from None
    if not all(isinstance(part, dict) for part in parts):
        raise Refused("token is no JWT")
    return parts[0], parts[1]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different; readers differ on which of two they believe."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _instant(seconds: Any, name: str) -> datetime:
    try:
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise ValueError
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # no number, NaN, beyond the calendar
        raise Refused(f"{name} is no time") from None
