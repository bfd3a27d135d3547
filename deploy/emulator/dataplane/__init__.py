"""Scoring and blob storage."""
