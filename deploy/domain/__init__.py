"""The data of the program: specs, plans, reports, and how tags and ARM bodies are read. No network and no clock."""
