"""Endpoints on shared quota, which Azure deletes after 168 hours: their successors, their notices, what was missed."""
