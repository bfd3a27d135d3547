"""Requests and responses as Azure writes them."""
