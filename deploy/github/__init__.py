"""What connects a GitHub repository with Azure."""
