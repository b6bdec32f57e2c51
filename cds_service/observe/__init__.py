"""What operators and auditors see of the service: metrics, traces, the audit log.

It may not know HTTP requests, cards or how a decision was reached; of patients only the audit log knows.
"""
