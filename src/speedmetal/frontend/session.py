"""What a whole compilation shares: dependencies, functions, and the units being inferred."""

from __future__ import annotations

import ast
from typing import Any

from speedmetal import dtypes
from speedmetal.common.records import field, record
from speedmetal.dtypes import DType
from speedmetal.errors import Diagnostic
from speedmetal.frontend.capture import Dependencies, Source
from speedmetal.frontend.structure import Structure
from speedmetal.frontend.values import Broken
from speedmetal.frontend.variable_types import Key, VariableType
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan


@record(frozen=False)
class Specialised:
    """A called function for argument types: the IR, or None where it has to be inlined."""

    function: ir.Function | None = None
    weak: bool = False
    broken: bool = False
    met_too_wide: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    keep: tuple[Any, ...] = ()  # what has to live as long as this


@record(frozen=False)
class Session:
    """One call of ``infer_kernel`` or ``infer_function``."""

    name: str
    index_type: DType
    debug: int
    has_float64: bool = True  # whether the target has it
    dependencies: Dependencies = field(default_factory=Dependencies)
    specialised: dict[Any, Specialised] = field(default_factory=dict)
    element_functions: dict[Structure, ir.Function] = field(default_factory=dict)
    function_names: set[str] = field(default_factory=set)
    variable_names: set[str] = field(default_factory=set)
    call_stack: list[tuple[Any, str, SourceSpan | None]] = field(default_factory=list)
    diagnostics: dict[tuple[SourceSpan, str], Diagnostic] = field(default_factory=dict)
    place: tuple[Source, ast.AST] | None = None  # the statement at work, for internal errors


@record(frozen=False)
class Unit:
    """A kernel or function whose types are being found: what the next run assumes."""

    session: Session
    name: str
    is_function: bool
    default_float: DType = dtypes.DEFAULT_FLOAT
    assumed: dict[Key, VariableType] = field(default_factory=dict)
    fixed: dict[Key, DType] = field(default_factory=dict)
    conflicts: dict[Key, Diagnostic] = field(default_factory=dict)
    broken_by: dict[tuple[int, int], dict[str, Broken]] = field(default_factory=dict)
    frame_numbers: dict[tuple[int, int, int], int] = field(default_factory=dict)
    places: dict[SourceSpan, ast.expr] = field(default_factory=dict)  # of calls by operators
