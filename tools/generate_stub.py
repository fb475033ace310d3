"""Writes ``src/speedmetal/__init__.pyi``: what type checkers and editors see of ``speedmetal``.

Names are looked up when they are first used, which no editor follows; the stub has each one, from
the same tables. Run it after a change of the public names, of an intrinsic or of a construct::

    python tools/generate_stub.py
"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import speedmetal as sm
from speedmetal.intrinsics import TABLE, constructs
from speedmetal.intrinsics.constructs import Construct
from speedmetal.intrinsics.record import Intrinsic

PATH = Path(__file__).parents[1] / "src" / "speedmetal" / "__init__.pyi"
WIDTH = 100

HEADER = '''\
"""Written by tools/generate_stub.py from the tables of names, intrinsics and constructs."""

from collections.abc import Iterator
from typing import Any, overload
'''

POSITION = '''\
class _Position:
    """A place or an extent with three axes."""

    x: Any
    y: Any
    z: Any
    def __iter__(self) -> Iterator[Any]: ...
'''


def stub() -> str:
    """The text of the stub, as the formatter would leave it."""
    language: dict[str, Intrinsic | Construct] = {**TABLE, **constructs.TABLE}
    functions = [_function(name, record) for name, record in language.items()]
    imports = "\n".join([HEADER, *_imports()])
    return "\n".join([imports, _public_names(), POSITION, *functions])


def _imports() -> list[str]:
    homes, namespaces = sm._HOMES.items(), sm._NAMESPACES.items()  # noqa: SLF001 - its own tables
    aliases = sm._ALIASES  # noqa: SLF001
    named = [
        f"from {home} import {aliases.get(name, name)} as {name}"
        for home, names in homes
        for name in names
    ]
    for name, home in namespaces:
        package, _, module = home.rpartition(".")
        named.append(f"from {package} import {module} as {name}")
    return named


def _public_names() -> str:
    names = "".join(f'    "{name}",\n' for name in sm.__all__)
    return f"\n__version__: str\n__array_api_version__: str\n\n__all__ = [\n{names}]\n"


def _function(name: str, record: Intrinsic | Construct) -> str:
    calls = [name + call.removeprefix(record.name) for call in record.calls]
    mark = "@overload\n" if len(calls) > 1 else ""
    body = _docstring(record.meaning)
    return "\n".join(f"{mark}{_definition(call, _result(record))}\n{body}" for call in calls)


def _result(record: Intrinsic | Construct) -> str:
    if isinstance(record, Construct):
        return record.returns
    return "_Position" if record.axes else "Any"


def _definition(call: str, result: str) -> str:
    """``cdiv(a, b)`` as the first line of a function whose parameters are annotated."""
    definition = ast.parse(f"def {call}: ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    every = definition.args
    for parameter in (*every.posonlyargs, *every.args):
        parameter.annotation = ast.Name("Any")
    # `ast.unparse` writes `a: Any=1` where the formatter wants blanks, and single quotes.
    parameters = ast.unparse(every).replace("=", " = ").replace("'", '"')
    line = f"def {definition.name}({parameters}) -> {result}:"
    if len(line) <= WIDTH:
        return line
    return f"def {definition.name}(\n    {parameters}\n) -> {result}:"


def _docstring(meaning: str) -> str:
    quoted = f'"""{meaning}"""'
    if len(quoted) + 4 <= WIDTH:
        return f"    {quoted}\n"
    # Narrower by the closing quotes: else a text of one line could be too long with them alone.
    lines = textwrap.wrap(f'"""{meaning}', WIDTH - 7, break_on_hyphens=False)
    return textwrap.indent("\n".join([*lines, '"""', ""]), "    ")


if __name__ == "__main__":
    PATH.write_text(stub(), encoding="utf-8")
    print(f"wrote {PATH}")
