"""The commands that call a deployed model: invoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli import console, output, runner
from deploy.cli.options import Environment, Format
from deploy.cli.output import Output, View
from deploy.errors import Exit, UsageError

Endpoint = Annotated[
    str | None, typer.Argument(metavar="KEY", help="Endpoint; may be omitted if the environment has only one.")
]


def invoke(
    environment: Environment,
    endpoint: Endpoint = None,
    image: Annotated[
        Path | None, typer.Option("--image", metavar="FILE", help="Image or volume to send in place of the sample.")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="Text or prompts to send; several separated by &.")
    ] = None,
    request_file: Annotated[
        Path | None, typer.Option("--request-file", metavar="FILE", help="JSON file to send as the whole request.")
    ] = None,
    slot: Annotated[
        str | None, typer.Option("--slot", metavar="DEPLOYMENT", help="Deployment; omit for the live one.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FOLDER", help="Save the pictures and the JSON of the answer here.")
    ] = None,
    print_request: Annotated[
        bool, typer.Option("--print-request", help="Print the JSON of the request and send nothing.")
    ] = False,
    output_format: Format = Output.TEXT,
) -> None:
    """Send one request to the model. Exits with 0 only for a good answer.

    Sends the input of the template's probe, unless you name your own.
    """
    from deploy import reporter

    if print_request and (slot or save):
        cause = "--print-request sends nothing"
        raise UsageError("invoke", cause, "Remove --slot and --save", code="AML681")

    own = {"image": image, "text": text, "file": request_file}
    if print_request:
        body = runner.run(lambda commands, p: commands.request_of(p, environment, endpoint, commands.Input(**own)))
        console.print_result(body.decode())
        return
    call = runner.run(
        lambda commands, p: commands.invoke(p, environment, endpoint, commands.Input(**own), slot=slot, save=save)
    )
    view = View(
        lambda: reporter.call_text(call), lambda: reporter.call_json(call), lambda: reporter.call_markdown(call)
    )
    if call.error is None or output.is_machine_readable(output_format) or call.files:
        output.show(view, output_format)
    if call.error:
        runner.report_error(call.error, in_result=output.is_machine_readable(output_format))
        raise SystemExit(Exit.STEP_FAILED)
