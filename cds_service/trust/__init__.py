"""Who calls: tenants, and what a caller must show to be one.

It may not know hooks, cards or anything clinical.
"""
