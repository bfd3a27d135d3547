"""The control API under `/emulator`: status, requests, clock, faults, settings."""
