"""Acceptance in a subscription of the user: `scripts/acceptance -e ENVIRONMENT`. docs/acceptance.md describes it.

`run` drives amldeploy through the life of an endpoint and tears everything down, `record` records the requests and
answers of each command, `clean` removes secrets and ids from them, `replay` sends the recorded requests to the
emulator, `compare` finds the differences between the answers.
"""
