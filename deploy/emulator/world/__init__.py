"""The world file: storage, clock, settings. No rules of Azure."""
