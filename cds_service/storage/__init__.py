"""What must survive a restart: decisions, without a word about the patient.

It may not know FHIR, HTTP or how a decision was reached.
"""
