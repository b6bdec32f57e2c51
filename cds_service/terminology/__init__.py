"""From codes to the words of the clinical rules.

It may not know FHIR resources, HTTP, the clock or any patient; it reads files of reviewed content and nothing else.
"""
