"""Who calls, by the HTTP request at hand.

Knows: where a request carries what proves its caller, and what a stranger is told: nothing but that it is one.
Must not know: what makes a token good (trust/tokens.py).
"""

import logging
from collections.abc import Callable
from typing import Protocol

from flask import request

from cds_service.hooks.refusal import HookError
from cds_service.trust.tenants import Tenant
from cds_service.trust.tokens import CannotTell, Refused

log = logging.getLogger(__name__)

RETRY_AFTER_S = "5"


class Tokens(Protocol):
    """Checks bearer tokens; trust.tokens.Tokens is the real one."""

    def client(self, authorization: str, path: str) -> Tenant:
        """The client that the header proves. Raises: Refused, CannotTell."""


def admission(tokens: Tokens, *, certificate_header: str, without_token: Tenant | None) -> Callable[[], Tenant]:
    """A function that names the client of the request at hand, or raises HookError.

    certificate_header: where a proxy puts the client certificate that it has checked. without_token: who calls when
    there is no Authorization header at all; None: nobody may.
    """

    def admit() -> Tenant:
        given = request.headers.getlist("Authorization")
        if not given and without_token is not None:
            return without_token
        try:
            if len(given) != 1:
                raise Refused("no bearer token")
            tenant = tokens.client(given[0], request.path)
            if tenant.certificates and not tenant.has(request.headers.get(certificate_header, "")):
                raise Refused("client certificate is another", tenant.name)
            return tenant
        except Refused as refused:
            log.warning("caller refused", extra={"reason": refused.reason, "tenant": refused.tenant})
            raise _stranger() from None
        except CannotTell as problem:
            log.error("caller not checked", extra={"reason": str(problem)})
            raise _not_now() from None

    return admit


def _stranger() -> HookError:
    """401 without the reason, which would help who guesses."""
    return HookError(
        401, "login", "The caller did not prove to be a client of this service.", headers={"WWW-Authenticate": "Bearer"}
    )


def _not_now() -> HookError:
    """503: the service can tell neither that the caller is a client nor that it is none."""
    return HookError(
        503,
        "transient",
        "This service cannot check its callers at the moment; no guidance was computed.",
        headers={"Retry-After": RETRY_AFTER_S},
    )
