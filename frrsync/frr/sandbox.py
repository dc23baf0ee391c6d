"""Jinja as templates of an operator get it: a closed list of names, two sources of files, and limits.

What a template may touch is listed here and nothing else is there: fields of our own values, some methods of
texts and mappings, the filters of ``template_filters``, and ``range``, ``dict`` and ``namespace``. So a
function of Python's or Jinja's that nobody thought of is not allowed by accident.
"""

from __future__ import annotations

import traceback
from collections.abc import Sized
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib import resources
from pathlib import Path
from types import BuiltinMethodType, MethodType
from typing import TYPE_CHECKING, Any

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from frrsync.core import frr_config
from frrsync.errors import RenderError
from frrsync.frr.allowance import LARGEST_NUMBER_BITS, Allowance, TooMuchError, check_number, weight
from frrsync.frr.dialect import Dialect
from frrsync.frr.template_files import OURS, FolderLoader
from frrsync.frr.template_filters import filters, printable
from frrsync.frr.template_guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from jinja2 import nodes

    from frrsync.frr.origin import Marks
    from frrsync.frr.template_files import TemplateFiles

ROOT = "frr.conf.j2"
_LARGEST_RANGE = 100_000
_OWN_FIELDS: dict[type, frozenset[str]] = {
    item: frozenset(field.name for field in fields(item))
    for item in (*vars(frr_config).values(), Dialect)
    if isinstance(item, type) and is_dataclass(item)
}
"""The fields that templates read; frozen values without methods, so every one is safe to show."""
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset({
        "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal",
        "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "lower", "lstrip", "partition",
        "removeprefix", "removesuffix", "rfind", "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines",
        "startswith", "strip", "swapcase", "title", "upper",
    }),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
}  # fmt: skip
"""What templates may call: nothing that makes much of little, nothing that changes a value."""
_OF_JINJA = (LoopContext, Macro, BlockReference)
_HOLDERS = (*_OF_JINJA, Namespace, jinja2.runtime.TemplateReference, jinja2.environment.TemplateModule)


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs templates: ours, and the operator's within their limits.

    With ``marks`` every line that an operator's template prints carries where it comes from.
    """

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, operators: TemplateFiles | None, seconds: float, marks: Marks | None = None) -> None:
        self._ours = own_folder()
        self._operators = operators
        self._marks = marks
        self.allowance = Allowance(seconds)
        ours = jinja2.FileSystemLoader(self._ours)
        loaders: list[jinja2.BaseLoader] = [jinja2.PrefixLoader({OURS: ours}), ours]
        if operators is not None:
            loaders.insert(1, FolderLoader(operators))
        super().__init__(
            loader=jinja2.ChoiceLoader(loaders),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
            optimized=False,
            finalize=self._printed,
        )
        self.filters = filters(self.allowance)
        self.globals = {"range": self._range, "dict": self._dict, "namespace": Namespace}
        self._functions: list[Callable[..., object]] = [
            self._range, self._dict, self.tick, self.spend, self.charged, self.watched, self.concatenate,
        ]  # fmt: skip

    def offer(self, **functions: Callable[..., object]) -> None:
        """Give templates functions of the renderer."""
        self.globals.update(functions)
        self._functions.extend(functions.values())

    def place_of(self, error: Exception) -> str:
        """Return file and line of the template that failed."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return f"{error.filename or error.name or ROOT}:{error.lineno}"
        folders = [str(self._ours)] + ([str(self._operators.folder)] if self._operators else [])
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(tuple(folders)):
                return f"{frame.filename}:{frame.lineno}"
        return ROOT

    # what the compiled templates call: see template_guard

    def tick(self) -> bool:
        """Look at the clock."""
        return self.allowance.tick()

    def spend(self, size: int) -> None:
        """Count constant text that is printed."""
        self.allowance.spend(size)

    def charged(self, value: object) -> object:
        """Count a value that was made."""
        return self.allowance.charge(value)

    def watched(self, value: object) -> object:
        """Look at the clock before a value is compared."""
        self.allowance.tick()
        return value

    def concatenate(self, *parts: object) -> str:
        """Return what ``~`` makes of its operands."""
        texts = [printable(part) for part in parts]
        self.allowance.reserve(sum(map(len, texts)))
        return "".join(texts)

    @jinja2.pass_context
    def _printed(self, _context: jinja2.runtime.Context, value: object) -> str:
        """Return the text of a printed value: every ``{{ }}`` ends here, at run time because of the context."""
        text = printable(value)
        self.allowance.spend(len(text))
        return text

    def _range(self, *arguments: int) -> range:
        found = range(*arguments)
        if len(found) > _LARGEST_RANGE:
            raise TooMuchError(f"a range of {len(found)} numbers is too large, allowed are {_LARGEST_RANGE}")
        return found

    def _dict(self, **items: object) -> object:
        return self.allowance.charge(items)

    # what the sandbox asks

    def getattr(self, obj: object, attribute: str) -> object:
        """Return a field of our own types at once: the sandbox's look at each costs most of the time."""
        if attribute in _OWN_FIELDS.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Say whether this field or method is on the list."""
        if attr.startswith("_") or not super().is_safe_attribute(obj, attr, value):
            return False
        if isinstance(obj, _HOLDERS):
            return True
        return attr in _OWN_FIELDS.get(type(obj), ()) or attr in _METHODS.get(type(obj), ())

    def is_safe_callable(self, obj: object) -> bool:
        """Say whether this is one of the functions that templates may call."""
        if isinstance(obj, _OF_JINJA) or obj is Namespace or obj in self._functions:
            return True
        if isinstance(obj, MethodType):
            return isinstance(obj.__self__, LoopContext)
        return isinstance(obj, BuiltinMethodType) and obj.__name__ in _METHODS.get(type(obj.__self__), ())

    def wrap_str_format(self, value: object) -> None:
        """Leave ``str.format`` to the list of methods, where it is not: a width in it has no limit."""

    def call(self, context: jinja2.runtime.Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what may be called; what a method makes is counted."""
        self.allowance.tick()
        if not self.is_safe_callable(obj):
            raise SecurityError(f"{type(obj).__name__} is nothing that a template may call")
        value = context.call(obj, *args, **kwargs)
        return self.allowance.charge(value) if isinstance(obj, BuiltinMethodType) else value

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> object:
        """Count what an operator makes before it does; refuse what only a mistake can ask for."""
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            if operator in {"*", "**"} and isinstance(left, int) and isinstance(right, int):
                times = right if operator == "**" else 1
                if times < 0 or left.bit_length() * times + right.bit_length() > 2 * LARGEST_NUMBER_BITS:
                    raise TooMuchError(f"the result of {operator} is too large for a template")
            value = super().call_binop(context, operator, left, right)
            if isinstance(value, int):
                check_number(value)
            return value
        if operator == "+":
            self.allowance.reserve(weight(left) + weight(right))
        elif operator == "*":
            self.allowance.reserve(_repetitions(left) * _repetitions(right))
        elif operator == "%":
            raise TypeError("% is for numbers only: print values with {{ }}")
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Parse a template; what is nested too deeply has no line, but a file."""
        with _named(filename):
            return super()._parse(source, name, filename)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Turn a template into code; an operator's is guarded."""
        with _named(filename):
            if self._operators is not None and filename is not None and self._operators.has(filename):
                Guard(self, filename, self._marks).guard(source)
            return super()._generate(source, name, filename, defer_init)

    def _compile(self, source: str, filename: str) -> CodeType:
        """Compile the code of a template."""
        with _named(filename):
            return super()._compile(source, filename)


@contextmanager
def _named(filename: str | None) -> Iterator[None]:
    """Name the template that Python cannot compile."""
    try:
        yield
    except (RecursionError, MemoryError, SyntaxError, OverflowError) as error:
        raise RenderError(f"{filename}: cannot be compiled, is it nested too deeply? {error}") from error


def _repetitions(operand: object) -> int:
    """Return how many items or repetitions an operand of ``*`` stands for."""
    if isinstance(operand, int):
        return max(operand, 1)
    return max(weight(operand), 1) if isinstance(operand, Sized) else 1


def own_folder() -> Path:
    """Return the folder of our templates: inside of an installed package, at the top of a checkout."""
    package = Path(str(resources.files("frrsync")))
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / ROOT).is_file():
            return folder
    raise RenderError(f"no templates: found no {ROOT} in {package / 'templates'} or {package.parent / 'templates'}")
