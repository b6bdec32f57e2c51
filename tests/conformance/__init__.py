"""Every requirement of CDS Hooks on a service, each with a test named after its id in requirements.csv."""
