"""Reading an answer within bounds.

Knows: that the time-outs of requests count for each read of the socket, so that a server which drips a byte now and
then would hold a call for ever. So bodies are read as they come (read1), with a look at the deadline in between.
Must not know: what the answer means.
"""

from collections.abc import Callable
from typing import Final

import requests

# small, so that a compressed body cannot unfold far beyond the limit at once
_CHUNK: Final = 16 * 1024


class TooLate(Exception):
    """The deadline has passed."""


class TooMuch(Exception):
    """More than there is room for."""


def read_body(response: requests.Response, *, deadline: float, room: int, clock: Callable[[], float]) -> bytes:
    """The whole body of a streamed response.

    Raises: TooLate, TooMuch; what urllib3 raises.
    """
    body = bytearray()
    while True:
        # read1 gives what is there; read would wait for a full chunk
        chunk = response.raw.read1(_CHUNK, decode_content=True)
        body += chunk
        if len(body) > room:
            raise TooMuch
        if not chunk:
            return bytes(body)
        if clock() > deadline:
            raise TooLate
