"""A client of this service: one EHR installation with what is agreed with it.

Knows: the words of the agreement.
Must not know: HTTP; how a caller proves who it is.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """What is agreed with one client.

    name: stands in journal, reports and metrics; never the name of a patient or clinician.
    profile: how its cards are shaped; a name of hooks/profiles.py.
    silent: decide and record, show nothing.
    """

    name: str = "default"
    profile: str = "generic"
    silent: bool = False


# who calls where callers are not checked: sandbox mode, or a network that only trusted clients can reach
EVERYONE = Tenant()
