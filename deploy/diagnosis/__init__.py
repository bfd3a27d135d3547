"""Why a deployment failed: the table of causes, and matching Azure's messages and container logs against it."""
