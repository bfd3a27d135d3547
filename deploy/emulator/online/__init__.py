"""Managed online endpoints and deployments, and other endpoints of a workspace."""
