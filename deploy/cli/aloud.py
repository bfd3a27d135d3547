"""Words that people must hear whatever comes after them, such as notices: past the hush in which a verb runs."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator

from deploy.cli.door import interactive


@contextlib.contextmanager
def aloud(form: str) -> Iterator[Callable[[str], None]]:
    """Says lines at once, whatever comes after them: on stdout, or beside it where JSON is the result. A live table
    would be drawn over them: they wait until it is done.
    """
    stream = (sys.stderr if form == "json" else sys.stdout) or io.StringIO()
    held: list[str] = []
    waits = interactive(sys.stderr)

    def tell(line: str) -> None:
        if waits:
            held.append(line)
        else:
            print(line, file=stream, flush=True)

    try:
        yield tell
    finally:
        for line in held:
            print(line, file=stream, flush=True)
