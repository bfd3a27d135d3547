"""The commands that call a deployed model: invoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli import completion, console, output, runner
from deploy.cli.options import Environment, Format, Slot
from deploy.cli.output import Output, View
from deploy.errors import Exit, UsageError

Endpoint = Annotated[
    str | None,
    typer.Argument(
        metavar="KEY", help="Endpoint; may be omitted if the environment has only one.", autocompletion=completion.keys
    ),
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
    slot: Slot = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FOLDER", help="Save the pictures and the JSON of the answer here.")
    ] = None,
    print_request: Annotated[
        bool, typer.Option("--print-request", help="Print the JSON of the request and send nothing.")
    ] = False,
    code: Annotated[
        bool, typer.Option("--code", help="Print this request as code for curl and Python, and send nothing.")
    ] = False,
    output_format: Format = Output.TEXT,
) -> None:
    """Send one request to the model. Exits with 0 only for a good answer.

    Sends the input of the template's probe, unless you name your own.
    """
    own = {"image": image, "text": text, "file": request_file}
    if print_request or code:
        _print_only(environment, endpoint, own, slot, save, code=code, print_request=print_request)
        return
    call = runner.run(
        lambda commands, p: commands.invoke(p, environment, endpoint, commands.Input(**own), slot=slot, save=save)
    )
    from deploy import reporter

    view = View(
        lambda: reporter.call_text(call), lambda: reporter.call_json(call), lambda: reporter.call_markdown(call)
    )
    if call.error is None or output.is_machine_readable(output_format) or call.files:
        output.show(view, output_format)
    if call.error:
        runner.report_error(call.error, in_result=output.is_machine_readable(output_format))
        raise SystemExit(Exit.STEP_FAILED)


def _print_only(
    environment: str,
    endpoint: str | None,
    own: dict[str, Any],
    slot: str | None,
    save: Path | None,
    *,
    code: bool,
    print_request: bool,
) -> None:
    """Print the request, or the code that sends it."""
    option, useless = ("--code", save) if code else ("--print-request", save or slot)
    if useless or (code and print_request):
        cure = "Use it without " + ("--save and --print-request" if code else "--save and --slot")
        raise UsageError("invoke", f"{option} sends nothing", cure, code="AML681")
    if print_request:
        body = runner.run(lambda commands, p: commands.request_of(p, environment, endpoint, commands.Input(**own)))
        console.print_result(body.decode())
        return
    made = runner.run(lambda commands, p: commands.code_of(p, environment, endpoint, commands.Input(**own), slot))
    from deploy import reporter

    console.print_result(reporter.call_code(made))
