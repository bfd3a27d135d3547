"""The jinja2 that templates run in: it reaches nothing of Python, and what it interpolates is data, never text.

Every expression leaves an opaque token in the output, every piece of template text an invisible mark that names its
place; the renderer takes both out again. What a macro, a block or `{% set %}...{% endset %}` makes is template text and
keeps its tokens; as soon as a filter or an operator touches it, it is data. This room knows no YAML and reads no file.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from functools import cache, lru_cache
from types import CodeType, GeneratorType
from typing import Any

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateAssertionError
from jinja2.lexer import Lexer
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing

from deploy.config.rendering.markers import MARK, TOKEN, MarkingLexer, token
from deploy.config.rendering.provenance import Placed, PlacedDict, PlacedList, node_of
from deploy.config.rendering.undefined import Missing
from deploy.documents.places import Node, as_text

BUDGET, DEPTH, BITS = 1_000_000, 64, 1024
"""Loop rounds, calls and values that one file may cost; how deep a value may be, and how long a number."""
TEXT = 8 * 2**20
_METHODS = frozenset({"get", "items", "keys", "values"})


class Text(str):
    """Template text with its tokens and marks in `raw`; to filters and operators it is the finished string."""

    raw: str

    def __new__(cls, raw: str, finished: str) -> Text:
        text = super().__new__(cls, finished)
        text.raw = raw
        return text


class _Generator(CodeGenerator):
    """What a call block gives is finished like any other expression; jinja2 alone would write it as it is."""

    def visit_CallBlock(self, node: nodes.CallBlock, frame: Frame) -> None:  # noqa: N802 jinja2's name
        body, macro = self.macro_body(node, frame)
        self.writeline("caller = ")
        self.macro_def(macro, body)
        self.start_write(frame, node)
        self.write("str(environment.finalize(context, ")
        self.visit_Call(node.call, frame, forward_caller=True)
        self.write("))")
        self.end_write(frame)


class _Library(BaseLoader):
    """Templates by name, compiled once per text and process."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002 jinja2's
    ) -> Template:
        source = self._read(name)
        if source is None:
            raise TemplateNotFound(name)
        return environment.template_class.from_code(environment, _compiled(name, source), globals or {})


def resolved(read: Callable[[str], str | None], name: str, parent: str) -> str:
    """The file that `name` means in `parent`: one of the same template folder before one below `templates/`."""
    own = f"{parent.partition('/')[0]}/{name}"
    return own if read(own) is not None else name


class Sandbox(ImmutableSandboxedEnvironment):
    """One rendering of one file. `values[n]` is what token n stands for, and the node it came from if that is known."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, read: Callable[[str], str | None], names: Mapping[str, Any]) -> None:
        self._read = read
        super().__init__(undefined=Missing, loader=_Library(read), keep_trailing_newline=True, cache_size=50)
        self.finalize = self._token
        self.filters["_counted"] = self._counted
        for gone, table in (("random", self.filters), ("lipsum", self.globals)):
            table.pop(gone)
        self.globals.update(range=self._range, **names)
        self.values: list[tuple[Any, Node | None]] = []
        self.missed: list[tuple[str, str, int]] = []
        self._spent = 0
        self._last: tuple[Any, Node | None] = (missing, None)

    @property
    def lexer(self) -> Lexer:
        return _lexer()

    def join_path(self, template: str, parent: str) -> str:
        """jinja2's question which file an include, import or extends means."""
        return resolved(self._read, template, parent)

    def run(self, name: str) -> str:
        """The template's output, with tokens and marks."""
        template = self.get_template(name)
        return self._join(template.root_render_func(template.new_context()))

    def concat(self, parts: Iterable[str]) -> Text:
        """Joins what a macro or block has written."""
        raw = self._join(parts)
        return Text(raw, TOKEN.sub(lambda found: self._finished(int(found[1])), MARK.sub("", raw)))

    def _join(self, parts: Iterable[str]) -> str:
        pieces, size = [], 0
        for part in parts:
            pieces.append(part.raw if isinstance(part, Text) else part)
            size += len(pieces[-1])
            if size > TEXT:
                raise OverflowError("the template writes more than fits into a file")
        return "".join(pieces)

    def spend(self, amount: int) -> None:
        """Counts work; a template that costs too much is stopped."""
        self._spent += amount
        if self._spent > BUDGET:
            raise OverflowError("the template loops too often or makes too many values")

    def _weigh(self, value: Any, depth: int = 0) -> None:
        """Spends one for every value in a value and every KiB of text."""
        self.spend(1 + (len(value) // 1024 if isinstance(value, str) else 0))
        if depth > DEPTH:
            raise OverflowError(f"a value is nested deeper than {DEPTH} levels")
        if isinstance(value, int) and value.bit_length() > BITS:
            raise OverflowError(f"a number has more than {BITS} bits")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        for item in inner:
            self._weigh(item, depth + 1)

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.spend(10)
        return super().call(context, function, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if _size_of(operator, left, right) > TEXT:
            raise OverflowError("the result is too large")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not (isinstance(obj, Placed) and hasattr(Placed, attr)) and super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`values.items` is the key `items` when there is one; of a mapping's methods only the reading ones exist."""
        if isinstance(obj, PlacedDict) and (attribute in obj or attribute not in _METHODS):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if not isinstance(obj, (PlacedDict, PlacedList)):
            return super().getitem(obj, argument)
        try:
            value = obj[argument]
        except (LookupError, TypeError):
            return self.undefined(obj=obj, name=argument)
        if obj.node and (value is None or isinstance(value, bool)):
            self._last = (value, obj.node.children.get(argument))
        return value

    @pass_context
    def _token(self, _: Context, value: Any) -> str:
        """jinja2's `finalize`: what an expression writes."""
        if isinstance(value, Text):
            return value.raw
        if isinstance(value, Undefined):
            return self._note(value)
        if isinstance(value, (GeneratorType, KeysView, ValuesView, range)):
            value = list(self._counted(value))
        self._weigh(value)
        node = self._last[1] if value is self._last[0] else node_of(value)
        self.values.append((value, node))
        self._last = (missing, None)
        return token(len(self.values) - 1)

    def _note(self, value: Undefined) -> str:
        """A value that is not there is noted with its line, and the rendering goes on: one visit finds them all."""
        frame = inspect.currentframe()
        while frame and "__jinja_template__" not in frame.f_globals:
            frame = frame.f_back
        if frame is None or not isinstance(value, Missing):
            return str(value)
        template = frame.f_globals["__jinja_template__"]
        self.missed.append((value.words(), str(template.name), template.get_corresponding_lineno(frame.f_lineno)))
        return ""

    def _finished(self, number: int) -> str:
        value, node = self.values[number]
        if value is None or isinstance(value, (str, int, float)):
            return as_text(value, node.written if node else None)
        return json.dumps(value, default=str)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.spend(1)
            yield item

    def _range(self, *limits: int) -> range:
        found = range(*limits)
        self.spend(len(found))
        return found


def _size_of(operator: str, left: Any, right: Any) -> int:
    """About how many bits or items the result of a power or product has."""
    if isinstance(left, int) and isinstance(right, int):
        return left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
    many, times = (left, right) if isinstance(right, int) else (right, left)
    return len(many) * times if isinstance(many, (str, list, tuple)) and isinstance(times, int) else 0


@cache
def _lexer() -> Lexer:
    return MarkingLexer(Environment(keep_trailing_newline=True))  # noqa: S701 nothing is rendered with it, and not HTML


@cache
def _compiler() -> Sandbox:
    return Sandbox(lambda _: None, {})


@lru_cache(maxsize=1024)
def _compiled(name: str, source: str) -> CodeType:
    compiler = _compiler()
    tree = compiler.parse(source, name, name)
    for node in tree.find_all((nodes.FilterBlock, nodes.EvalContextModifier)):
        what = "filter" if isinstance(node, nodes.FilterBlock) else "autoescape"
        raise TemplateAssertionError(f"the block {what!r} is not available; filter the values", node.lineno, name, name)
    for loop in tree.find_all(nodes.For):
        loop.iter = nodes.Filter(loop.iter, "_counted", [], [], None, None, lineno=loop.lineno, environment=compiler)
    return compiler.compile(tree, name, name)
