"""The commands of cds-service, one module per field; cli.py puts them together."""
