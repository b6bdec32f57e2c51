"""CDS Hooks over HTTP: requests in, cards out.

It may not decide anything clinical; Flask is known to routes.py and errors.py only.
"""
