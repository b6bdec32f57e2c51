"""Fetching a key set over HTTP: GET, no redirects, within a deadline and a size.

Knows: HTTP. Must not know: when to fetch; what keys are used for.
"""

import json
from collections.abc import Callable, Sequence
from typing import Final

import requests
import urllib3

from cds_service.outgoing.body import TooLate, TooMuch, read_body
from cds_service.outgoing.deadline import ends_at
from cds_service.trust.jwks import Key, keys_of

DEADLINE_S: Final = 2.0
_ROOM: Final = 256 * 1024


def fetch_keys(
    address: str, session: requests.Session, clock: Callable[[], float], *, sandbox: bool
) -> Sequence[Key] | None:
    """The usable keys at the address; None when no key set could be had."""
    deadline = clock() + DEADLINE_S
    try:
        with (
            ends_at(deadline, clock),
            session.get(
                address,
                headers={"Accept": "application/json"},
                timeout=(DEADLINE_S / 2, DEADLINE_S / 2),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            if response.status_code != requests.codes.ok:
                return None
            body = read_body(response, deadline=deadline, room=_ROOM, clock=clock)
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, TooLate, TooMuch):
        return None
    try:
        return keys_of(json.loads(body), sandbox=sandbox)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, nested without end
        return None
