"""The initial content of a world: the default world, and world files."""
