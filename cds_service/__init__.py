"""A CDS Hooks service that flags the risk of metastatic calcification."""

__version__ = "0.1.0"
