"""References: which resource one points to, and whether a resource belongs to the patient of the hook.

Knows: relative and absolute references, version suffixes, urn:uuid entries, the patient's own addresses.
Must not know: what the resources mean.
"""

import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Raw

from cds_service.fhir import parts

_LOCAL = re.compile(r"(?:^|/)([A-Z][A-Za-z]+/[A-Za-z0-9\-._]{1,128})(?:/_history/[^/]*)?/?$")


def local_reference(reference: str) -> str:
    """`Type/id` of a reference, without server address and version; anything else comes back without blanks."""
    found = _LOCAL.search(reference.strip())
    return found.group(1) if found else reference.strip()


class Belongs(Enum):
    """Whose resource it is."""

    OURS = "the patient of the hook"
    UNSAID = "no subject given"
    OTHER = "another subject"
    UNREADABLE = "subject not readable"


class Subjects:
    """Tells whether a subject is the patient of the hook (CL-03); equal bytes are judged once (seen)."""

    def __init__(self, patient_id: str, addresses: Iterable[str] = ()) -> None:
        self._ours = {f"Patient/{patient_id}", *addresses}
        self.seen: dict[bytes, Belongs] = {}

    def of(self, *subjects: Raw) -> Belongs:
        """Judge the first subject that is there (`subject`, in older releases `patient`)."""
        for subject in subjects:
            if subject:
                data = bytes(subject)
                known = self.seen.get(data)
                if known is None:
                    known = self.seen[data] = self._judge(data)
                if known is not Belongs.UNSAID:
                    return known
        return Belongs.UNSAID

    def _judge(self, data: bytes) -> Belongs:
        if data == b"null":
            return Belongs.UNSAID
        subject = parts.reference(data)
        if subject is None:
            return Belongs.UNREADABLE
        if not subject.reference:
            return Belongs.UNSAID
        ours = subject.reference in self._ours or local_reference(subject.reference) in self._ours
        return Belongs.OURS if ours else Belongs.OTHER
