"""Free words of a result that only ever weaken it: sample quality (CL-09) and post-dialysis (CL-43).

Knows: exact word lists and the negations in front of and behind the words.
Must not know: codes. Words never make a finding, a value or an input.
"""

import re
from typing import Final

from cds_service.calcinosis.facts import Mark

_QUALITY: Final = re.compile(
    r"\b(?:ha?emoly[sz]\w*|lipa?emi[ac]|icteric|contaminat(?:ed|ion)|drip[ -]arm|insufficient|delayed separation"
    r"|recollect\w*|edta)\b",
    re.IGNORECASE,
)
_POST_DIALYSIS: Final = re.compile(r"\b(?:post[- ]?|after (?:ha?emo)?)(?:ha?emo)?dialysis\b", re.IGNORECASE)
_DENIED_BEFORE: Final = re.compile(
    r"(?:\b(?:no|not|non|nil|without|absent|never|free of|negative for)[\s-]+)(?:[\w-]+\s+){0,2}$", re.IGNORECASE
)
_DENIED_BEHIND: Final = re.compile(
    r"^(?:\s+ind(?:ex|ices))?\s*(?:[:=]|is|was)?\s*(?:none|nil|no\b|not\b|neg\w*|absent|normal|0\b)", re.IGNORECASE
)
# In these the word speaks of the patient or of the proper tube, not of a spoilt sample.
_HARMLESS: Final = {
    "edta": ("pth_intact", "creatinine", "hcg"),
    "insufficient": ("vitd_25oh_total", "vitd_25oh_d3", "vitd_25oh_d2"),
}


def marks_in(text: str, input_id: str) -> frozenset[Mark]:
    """The marks that the words of a note, an interpretation or a method put on a result."""
    found = set()
    for word in _QUALITY.finditer(text):
        if input_id not in _HARMLESS.get(word[0].lower(), ()) and not _denied(text, word):
            found.add(Mark.SAMPLE_QUALITY)
    return frozenset(found) | timing_in(text)


def timing_in(text: str) -> frozenset[Mark]:
    """The post-dialysis mark, when a label or a note says so."""
    said = any(not _denied(text, word) for word in _POST_DIALYSIS.finditer(text))
    return frozenset({Mark.POST_DIALYSIS}) if said else frozenset()


def _denied(text: str, word: re.Match[str]) -> bool:
    before = re.split(r"[.;,:()]", text[: word.start()])[-1]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_BEHIND.search(text[word.end() :]))
