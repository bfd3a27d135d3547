"""What answers for a deployment: stand-ins for registry models, and scoring servers with the user's code."""
