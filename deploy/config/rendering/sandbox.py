"""The sandboxed jinja2 environment: templates cannot access Python, and expressions produce data, never text.

Each expression writes an opaque token, each piece of template text a mark with its location; the renderer removes both.
The result of a macro, a block or `{% set %}...{% endset %}` is template text and keeps its tokens; a filter or an
operator converts it to data.
Our own subclasses of jinja2's Lexer and CodeGenerator, because jinja2 has no hook for the location of a value; they
depend on its internals, so pyproject.toml pins jinja2 <3.2.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from functools import cache, lru_cache
from types import CodeType, GeneratorType
from typing import Any

from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, Undefined, nodes, pass_context, pass_environment
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import TemplateAssertionError
from jinja2.filters import FILTERS
from jinja2.lexer import Lexer
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing

from deploy.config.rendering.markers import MARK, TOKEN, MarkingLexer, token
from deploy.config.rendering.meter import Meter, measured
from deploy.config.rendering.undefined import UndefinedValue
from deploy.config.rendering.value_locations import Placed, PlacedDict, PlacedList, node_of
from deploy.documents.locations import Node, as_text

_RAW = 8 * 2**20
"""Characters of the output with tokens and marks."""
_METHODS = frozenset({"get", "items", "keys", "values"})


class Text(str):
    """Template text with its tokens and marks in `raw`; filters and operators see the finished string."""

    raw: str

    def __new__(cls, raw: str, finished: str) -> Text:
        text = super().__new__(cls, finished)
        text.raw = raw
        return text


class _Generator(CodeGenerator):
    """Counts literals, slices and joined text, and finalizes the result of a call block like other expressions."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 jinja2's name
        self.write("environment.join_text((")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write("))")

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802 jinja2's name
        self._counted(super().visit_Getitem, node, frame, isinstance(node.arg, nodes.Slice))

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802 jinja2's name
        self._counted(super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802 jinja2's name
        self._counted(super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802 jinja2's name
        self._counted(super().visit_Tuple, node, frame, node.ctx == "load")

    def _counted(self, visit: Callable[[Any, Frame], None], node: nodes.Expr, frame: Frame, new: bool = True) -> None:
        self.write("environment.meter.made(" if new else "")
        visit(node, frame)
        self.write(")" if new else "")

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
    """The file that `name` refers to in `parent`: first in its template folder, then in `templates/`."""
    own = f"{parent.partition('/')[0]}/{name}"
    return own if read(own) is not None else name


class Sandbox(ImmutableSandboxedEnvironment):
    """One rendering of one file. `values[n]` is the value of token n, and its node in the environment file, if any."""

    code_generator_class = _Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, read: Callable[[str], str | None], names: Mapping[str, Any]) -> None:
        self._read = read
        super().__init__(
            undefined=UndefinedValue, loader=_Library(read), keep_trailing_newline=True, cache_size=50, optimized=False
        )  # optimized: jinja2 would calculate constant expressions while it compiles, where nothing is measured
        self.meter = Meter()
        self.finalize = self._token
        self.filters = _FILTERS
        self.globals.pop("lipsum")
        self.globals.update(range=self._range, **names)
        self.values: list[tuple[Any, Node | None]] = []
        self.undefined_values: list[tuple[str, str, int]] = []
        self._spent = 0
        self._last: tuple[Any, Node | None] = (missing, None)

    @property
    def lexer(self) -> Lexer:
        return _lexer()

    def join_path(self, template: str, parent: str) -> str:
        """The file that an include, import or extends refers to."""
        return resolved(self._read, template, parent)

    def run(self, name: str) -> str:
        """The template's output, with tokens and marks."""
        template = self.get_template(name)
        return self._join(template.root_render_func(template.new_context()))

    def concat(self, parts: Iterable[str]) -> Text:
        """Joins the output of a macro or block."""
        raw = self._join(parts)
        pieces, end = [], 0
        plain = MARK.sub("", raw)
        for found in TOKEN.finditer(plain):
            pieces += [plain[end : found.start()], self.meter.made(self._finished(int(found[1])))]
            end = found.end()
        return Text(raw, self.meter.made("".join((*pieces, plain[end:]))))

    def _join(self, parts: Iterable[str]) -> str:
        pieces, size = [], 0
        for part in parts:
            pieces.append(part.raw if isinstance(part, Text) else part)
            size += len(pieces[-1])
            if size > _RAW:
                raise OverflowError("the output of the template is too large")
        return "".join(pieces)

    def join_text(self, parts: tuple[Any, ...]) -> str:
        """The result of `~`."""
        self.meter.check("~", parts)
        return str(self.meter.made("".join(map(str, parts))))

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.meter.spend(10)
        owner = getattr(function, "__self__", None)
        if isinstance(owner, (str, bytes, int, float)):
            args = tuple(map(self.meter.settled, args))
            self.meter.check(function.__name__, (owner, *args), kwargs)
        return self.meter.made(super().call(context, function, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        self.meter.check(operator, (left, right))
        return self.meter.made(super().call_binop(context, operator, left, right))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """`str.format` and `str.format_map`, with every field measured."""
        if super().wrap_str_format(value) is None:
            return None

        def run(*args: Any, **kwargs: Any) -> str:
            given, named = ((), args[0]) if value.__name__ == "format_map" else (args, kwargs)
            return _Formatter(self).vformat(str(value.__self__), given, named)

        return run

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        return not (isinstance(obj, Placed) and hasattr(Placed, attr)) and super().is_safe_attribute(obj, attr, value)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`values.items` is the key `items` if it exists; only the reading methods of a mapping are available."""
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
        """jinja2's `finalize`: the text that an expression writes."""
        if isinstance(value, Text):
            return value.raw
        if isinstance(value, Undefined):
            return self._note(value)
        if isinstance(value, (GeneratorType, KeysView, ValuesView, range)):
            value = self.meter.settled(value)
        if isinstance(value, (list, dict)):
            self.meter.add_text(self.meter.size(value))
        else:
            self.meter.made(value)
        node = self._last[1] if value is self._last[0] else node_of(value)
        self.values.append((value, node))
        self._last = (missing, None)
        return token(len(self.values) - 1)

    def _note(self, value: Undefined) -> str:
        """Records an undefined value with its line and continues, so that one run reports all of them."""
        frame = inspect.currentframe()
        while frame and "__jinja_template__" not in frame.f_globals:
            frame = frame.f_back
        if frame is None or not isinstance(value, UndefinedValue):
            return str(value)
        template = frame.f_globals["__jinja_template__"]
        self.undefined_values.append(
            (value.words(), str(template.name), template.get_corresponding_lineno(frame.f_lineno))
        )
        return ""

    def _finished(self, number: int) -> str:
        value, node = self.values[number]
        if value is None or isinstance(value, (str, int, float)):
            return as_text(value, node.source_text if node else None)
        return json.dumps(value, default=str)

    def _range(self, *limits: int) -> range:
        found = range(*limits)
        self.meter.spend(len(found))
        return found


class _Formatter(SandboxedFormatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        environment: Any = self._env
        environment.meter.check_field(value, format_spec)
        return str(environment.meter.made(super().format_field(value, format_spec)))


@pass_environment
def _counted(environment: Sandbox, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        environment.meter.spend(1)
        yield item


_FILTERS: dict[str, Callable[..., Any]] = {
    **{name: measured(name, function) for name, function in FILTERS.items() if name != "random"},
    "_counted": _counted,
}


@cache
def _lexer() -> Lexer:
    return MarkingLexer(Environment(keep_trailing_newline=True))  # noqa: S701 used for its lexer only


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
