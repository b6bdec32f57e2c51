"""Connecting an EHR: what its people type in, and the cards that its clinicians review before they see them live.

It may not be needed during a call.
"""
