"""The directory and its tokens."""
