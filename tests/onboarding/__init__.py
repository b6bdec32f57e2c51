"""Sheets and galleries for the people who connect an EHR and review its cards."""
