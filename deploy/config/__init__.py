"""From the files that users write to specs: read, render, validate; and back, export."""
