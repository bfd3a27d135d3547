"""Renders one hostile template after the other, and prints a JSON line for each: name, seconds, MB, the problem.

Runs as a process of its own, because the highest memory use of a process never decreases.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from deploy.config import rendering
from deploy.documents.locations import Node, TemplateFiles
from deploy.domain.spec import Environment
from deploy.errors import Place, SpecError

NAME = "m/endpoint.yml.j2"
ENVIRONMENT = Environment("local", "local", "s", "g", "w", ("mip",))
GROW = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = "
TEMPLATES = {
    "center": "{{ 'a' | center(999999999) }}",
    "center, in a loop": "{% for i in range(9999) %}{{ 'a' | center(999999) | length }}{% endfor %}",
    "center method": "{{ 'a'.center(999999999) }}",
    "ljust": "{{ 'a'.ljust(999999999) }}",
    "rjust": "{{ 'a'.rjust(999999999, 'b') }}",
    "zfill": "{{ '1'.zfill(999999999) }}",
    "expandtabs": "{{ '\t\t'.expandtabs(999999999) }}",
    "percent": "{{ '%999999999d' % 1 }}",
    "percent with a star": "{{ '%*d' % (999999999, 1) }}",
    "percent with many widths": "{{ ('%999999d' * 500) % ((1,) * 500) }}",
    "precision": "{{ '%.999999999f' % 1.5 }}",
    "format filter": "{{ '%999999999s' | format('a') }}",
    "format method": "{{ '{:999999999}'.format('a') }}",
    "format with a nested width": "{{ '{:{w}}'.format('a', w=999999999) }}",
    "format_map": "{{ '{a:>999999999}'.format_map({'a': 1}) }}",
    "format with many fields": "{{ ('{0:999999}' * 500).format('a') }}",
    "slice filter": "{{ [1] | slice(999999999) | list }}",
    "batch": "{{ [1] | batch(999999999, 0) | list }}",
    "doubling by ~": GROW + "ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "doubling by +": GROW + "ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    "doubling lists": GROW + "[ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "doubling by replace": GROW + "ns.x | replace('a', 'aa') %}{% endfor %}{{ ns.x }}",
    "doubling by join": GROW + "[ns.x] * 2 | int %}{% set ns.x = ns.x | join('xxxx') ~ ns.x %}{% endfor %}{{ ns.x }}",
    "doubling by set blocks": "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set b %}{{ ns.x }}{{ ns.x }}"
    "{% endset %}{% set ns.x = b %}{% endfor %}{{ ns.x }}",
    "doubling by macros": "".join(
        f"{{% macro m{n + 1}() %}}{{{{ m{n}() }}}}{{{{ m{n}() }}}}{{% endmacro %}}" for n in range(40)
    ).replace("{{ m0() }}", "aaaa")
    + "{{ m40() }}",
    "product": "{{ 'a' * 999999999 }}",
    "product of products": "{{ [['a' * 9999] * 9999] * 9999 }}",
    "sum of lists": "{{ ([[0] * 9999] * 9999) | sum(start=[]) | length }}",
    "power": "{{ 9 ** (9 ** 9) }}",
    "round": "{{ 5 | round(-999999999) }}",
    "round up": "{{ 5 | round(999999999, 'ceil') }}",
    "indent": "{{ ('a\n' * 9999) | indent(99999) }}",
    "indent with text": "{{ ('a\n' * 9999) | indent('b' * 99999) }}",
    "tojson": "{{ [[[1] * 99] * 99] | tojson(99999) }}",
    "wide join": "{{ range(9999) | join('a' * 99999) }}",
    "join of an iterator": "{{ range(9999) | map('string') | join('a' * 99999) }}",
    "translate": "{{ ('a' * 9999).translate({97: 'b' * 9999}) }}",
    "to_bytes": "{{ (1).to_bytes(999999999, 'big') }}",
    "nested loops": "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}x" + "{% endfor %}" * 3,
    "search in a loop": "{% set x = range(99999) | list %}{% for i in range(99999) %}{% if -1 in x %}a{% endif %}"
    "{% endfor %}",
    "slices in a loop": "{% set ns = namespace(x=[]) %}{% set t = 'a' * 999999 %}{% for i in range(99999) %}"
    "{% set ns.x = [ns.x, t[1:]] %}{% endfor %}",
    "lists in a loop": "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x"
    + ", 1" * 9999
    + "] %}{% endfor %}",
    "striptags": "{{ ('<>' * 499999) | striptags }}",
    "wordwrap": "{{ ('a ' * 499999) | wordwrap(1) }}",
    "urlize": "{{ ('http://a.b ' * 99999) | urlize }}",
    "range": "{{ range(999999999) | list }}",
    "endless macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "macro that repeats text": "{% macro m(n) %}{% if n %}{{ m(n - 1) ~ m(n - 1) }}{% else %}aaaa{% endif %}"
    "{% endmacro %}{{ m(50) }}",
}


def _peak_memory() -> int:
    """The highest memory use of this program in MB. The figure of getrusage includes that of the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def main() -> None:
    for name, text in TEMPLATES.items():
        files = TemplateFiles("m", Path("/"), NAME, (), None, {NAME: f"a: 1\nb: {text}\n"}.get)
        started = time.perf_counter()
        try:
            rendering.render_endpoint(files, ENVIRONMENT, "mip", Node({}, Place("local.yml")))
            problem = ""
        except SpecError as error:
            problem = f"{error.problems[0].code} {error.problems[0].cause}"
        print(json.dumps([name, round(time.perf_counter() - started, 2), _peak_memory(), problem]))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main()
