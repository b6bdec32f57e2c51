"""From FHIR resources to the facts of the clinical core: what came with the call, what was read, what could not be had.

It may not judge, word anything for a clinician, know Flask or read the clock; only client.py speaks to the network.
"""
