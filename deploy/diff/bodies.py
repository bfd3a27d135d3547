"""The ARM body that a PUT of a CLI v2 document would send, as far as the document alone determines it.

For checks before a change. What depends on Azure (ids of assets that are created from files, labels) is left out, and
so are environment variables, which can contain secrets. Pure functions on JSON values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.diff.fields import Field
from deploy.diff.paths import dotted, fill, parts, spread, stars
from deploy.domain.put_merge import is_ours

Json = Any
VARIABLES = "properties.environmentVariables"


def to_body(document: Mapping[str, Json], table: Sequence[Field]) -> tuple[dict[str, Json], list[str]]:
    """The body, and the ARM paths that are left out although the document sets them. Our own tags are not in it."""
    body: dict[str, Json] = {}
    left_out: list[str] = []
    for row in table:
        for names, value in spread(document, parts(row.yaml)):
            if row.yaml == "tags.*" and is_ours(names[0]):
                continue
            unknown = row.arm.startswith(VARIABLES) or stars(row.yaml) != stars(row.arm)
            written = None if unknown else row.conversion.write(value)
            path = fill(row.arm, names)
            if written is None:
                left_out.append(VARIABLES if row.arm.startswith(VARIABLES) else dotted(path))
                continue
            inner = body
            for name in path[:-1]:
                inner = inner.setdefault(str(name), {})
            inner[str(path[-1])] = written
    return body, list(dict.fromkeys(left_out))
