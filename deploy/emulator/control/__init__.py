"""The emulator's own API under `/emulator`: status, requests, clock, faults, settings."""
