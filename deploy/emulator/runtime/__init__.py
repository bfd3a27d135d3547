"""What runs behind a deployment: stand-ins for registry models, and servers with the user's own code."""
