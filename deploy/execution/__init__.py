"""Carrying out a plan, and showing progress meanwhile."""
