"""What a stream can show: how wide, how colourful, how plain. NO_COLOR, FORCE_COLOR, TERM, COLUMNS, CI are honoured."""

from __future__ import annotations

import os
import shutil
from typing import Any, TextIO


def page(stream: TextIO | None) -> dict[str, Any]:
    """How wide, colourful and plain text on `stream` may be; NO_COLOR, FORCE_COLOR, TERM and COLUMNS are honoured."""
    if stream is None:  # closed by whoever called us
        return {}
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    colour = not os.environ.get("NO_COLOR") and (terminal or bool(os.environ.get("FORCE_COLOR")))
    width = shutil.get_terminal_size((100, 24)).columns
    return {"width": min(max(width, 60), 200), "colour": colour, "ascii": is_plain(stream)}


def is_plain(stream: TextIO) -> bool:
    """Whether only ASCII is understood: by the encoding, a dumb terminal, or the C locale where it is named."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if os.environ.get(name)), "")
    return os.environ.get("TERM") == "dumb" or locale in ("C", "POSIX") or "utf" not in (stream.encoding or "").lower()


def is_interactive(stream: TextIO | None) -> bool:
    """Whether somebody watches who can be shown a table that moves."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb" and not os.environ.get("CI")
