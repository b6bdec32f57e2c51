"""What is wrong with a body that is no hook request: the error, and its words.

Knows: how msgspec names what it met, JSON, UTF-8.
Must not know: which members a request has; no text of a body is ever repeated.
"""

import codecs
import re
from collections.abc import Mapping

_MSGSPEC_TYPE = re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`(?: - at `\$\.(?P<place>[^`]+)`)?")
_MSGSPEC_RANGE = re.compile(r"(?P<problem>[^`]+) - at `\$\.(?P<place>[^`]+)`")
_MSGSPEC_BYTE = re.compile(r"JSON is malformed: (?P<problem>.+) \(byte (?P<byte>\d+)\)")
_KINDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_UTF8_SLICE = 1 << 20


class HookError(Exception):
    """A request that cannot be answered.

    status: HTTP; code: FHIR issue type; expression: the places in the request; headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        diagnostics: str,
        expression: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(diagnostics)
        self.status = status
        self.code = code
        self.diagnostics = diagnostics
        self.expression = expression
        self.headers = dict(headers or {})


def check_utf8(body: bytes) -> None:
    """Refuse what is not UTF-8; in slices, so that a large body is not held a second time as text."""
    if body.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    start = 0
    try:
        for start in range(0, len(body), _UTF8_SLICE):
            decoder.decode(body[start : start + _UTF8_SLICE], final=start + _UTF8_SLICE >= len(body))
    except UnicodeDecodeError as error:
        if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise HookError(400, "structure", "The body is UTF-16; expected JSON in UTF-8.") from None
        # the decoder may have kept up to three bytes of the slice before, so the place is exact only inside a slice
        near = _position(body, start + error.start)
        raise HookError(400, "structure", f"The body is not UTF-8 near {near}; expected JSON in UTF-8.") from None


def malformed(body: bytes, message: str) -> str:
    if body.startswith(codecs.BOM_UTF8):
        return "The body starts with a byte order mark; expected JSON in UTF-8 without one."
    found = _MSGSPEC_BYTE.fullmatch(message)
    if found:
        return f"The body is not JSON: {found['problem']} at {_position(body, int(found['byte']))}."
    if not body.strip():
        return "The body is empty; expected a hook request as a JSON object."
    return "The body is not JSON: it ends too early, or a string holds half of a surrogate pair (\\ud800 to \\udfff)."


def _position(body: bytes, byte: int) -> str:
    line = body.count(b"\n", 0, byte) + 1
    column = byte - (body.rfind(b"\n", 0, byte) + 1) + 1
    return f"byte {byte} (line {line}, column {column})"


def wrong_type(message: str) -> HookError:
    """Translate msgspec's message; its places are member names of the envelope, never keys that the caller chose."""
    found = _MSGSPEC_TYPE.fullmatch(message)
    if found:
        place = found["place"]
        expected = _kind(found["expected"].removesuffix(" | null"))
        subject = place or "The body"
        return HookError(
            400, "structure", f"{subject} is {_kind(found['got'])}; expected {expected}.", (place,) if place else ()
        )
    out_of_range = _MSGSPEC_RANGE.fullmatch(message)
    if out_of_range:
        place = out_of_range["place"]
        return HookError(400, "value", f"{place}: {out_of_range['problem'].lower()}.", (place,))
    return HookError(400, "structure", "A member of the request has the wrong type.")


def _kind(name: str) -> str:
    return _KINDS.get(name, name)
