"""Role assignments, role definitions, and what a principal is allowed to do."""
