"""Entra ID: the directory, sign-in and access tokens."""
