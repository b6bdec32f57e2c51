"""The reviewed content in forms that other systems and people read: FHIR resources, pages, expansions.

It may not know patients or hooks; nothing here runs while a hook call is answered.
"""
