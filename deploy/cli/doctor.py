"""The command that looks at what would stop an apply. Calls one verb, shows what it returns, leaves with its code."""

from __future__ import annotations

import json
import sys

from deploy.cli import console, runner
from deploy.cli.options import Env, Keys, PlainForm, Regions, regions_of
from deploy.cli.runner import TextOrJson


def doctor(
    environment: Env, endpoints: Keys = None, output: PlainForm = TextOrJson.TEXT, regions: Regions = ""
) -> None:
    """Say what would stop an apply. Credential, workspace, permissions, quota, models, limits; changes nothing."""
    places = regions_of(regions)
    found = runner.call(lambda commands, project: commands.doctor(project, environment, endpoints or (), places))
    from deploy import reporter

    how = console.page(sys.stdout)
    text = (
        json.dumps(reporter.doctor_json(found), indent=2)
        if output is TextOrJson.JSON
        else reporter.doctor_text(found, **how)
    )
    console.show(text)
    raise SystemExit(found.exit)
