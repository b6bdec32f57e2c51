"""Calls that the service makes itself: sessions that go where they may and nowhere else, bodies read within bounds.

It may not know FHIR, tokens, tenants or anything clinical.
"""
