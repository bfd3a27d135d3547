"""Faults that tests and users order: their schema, and injecting them."""
