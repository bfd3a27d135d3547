"""Fault injection: the schema of faults, and their effect on requests."""
