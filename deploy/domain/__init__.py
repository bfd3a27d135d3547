"""The data of the program: specs, plans, reports, and how tags and ARM bodies are read. Frozen values, no I/O."""
