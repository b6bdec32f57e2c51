"""The site report before go-live: what share of a site's data the mappings understand, and what they do not.

It may not decide anything about a patient, change a mapping, or let out what identifies a person.
"""
