"""Converts the files of a project to specs (read, render, validate), and existing endpoints to files."""
