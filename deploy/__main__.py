"""`python -m deploy` is `amldeploy`."""

from deploy.cli import main

main()
