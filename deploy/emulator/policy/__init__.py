"""Azure Policy: assigned policies, what they refuse, and the check before a request."""
