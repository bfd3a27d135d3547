"""Finds the cause of a failed deployment: matches Azure's messages and container logs against a table of causes."""
