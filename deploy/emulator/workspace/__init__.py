"""Workspaces, registries and assets."""
