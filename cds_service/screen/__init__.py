"""The judgement of the hook over a whole population, from exported files.

Knows: files of FHIR Bulk Data, grouping by patient, moments of judgement, what a committee wants to read.
Must not know: how one patient is judged; that is hooks/decide.py, the same function that answers a call.
"""
