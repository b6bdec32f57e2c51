"""The clinical core: patient facts in, an assessment out.

It may not know codes, FHIR, HTTP, files or the clock.
"""
