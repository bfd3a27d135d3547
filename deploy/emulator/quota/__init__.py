"""Cores, VM sizes and limits."""
