"""Interleavings of several runs on one emulator: one request at a time, in an order that a schedule fixes."""
