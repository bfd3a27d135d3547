"""The first content of a world: the default one, and the one that a world file describes."""
