"""What of Python the kernel language has, and the facts of a function that its syntax tells.

Everything that can be refused by looking at the tree alone is refused here, all at once, before
any type is known.
"""

from __future__ import annotations

import ast
import sys
import types
import weakref
from typing import Any

from speedmetal.common.records import field, record
from speedmetal.errors import CompileError, Diagnostic
from speedmetal.frontend.capture import Captured, FunctionNode, Source, capture

_COMPREHENSION = (
    "kernels have no comprehensions; write a loop, with a total or an array for results"
)
_STRAY_GENERATOR = (
    "a generator stands only in sum, min, max, any, all, tuple, sorted and math.prod, as in"
    " sum(x * x for x in t); elsewhere write a loop"
)
_STRAY_LIST = (
    "kernels have no lists; where the count is constant write tuple(x * x for x in t), elsewhere a"
    " loop, with a total or an array for results"
)
_ASYNC = "kernels have no async; every thread runs on its own"
_LIST = (
    "kernels have no lists; use a tuple, or sm.thread_array(shape, dtype) for values that change"
)
_SCOPE = (
    "kernels cannot assign to names outside; pass the value as an argument, or store it into an"
    " array"
)
_STRING = 'kernels have no string formatting; write print("x =", x), which formats for you'

REJECTED: dict[type[ast.AST], str] = {
    ast.AsyncFor: _ASYNC,
    ast.AsyncFunctionDef: _ASYNC,
    ast.AsyncWith: _ASYNC,
    ast.Await: _ASYNC,
    ast.ClassDef: "a class cannot be defined inside a kernel; define a frozen dataclass outside",
    ast.Delete: "kernels have no del; a name's value is simply not used any more",
    ast.Dict: "kernels have no dictionaries; use a named tuple or a frozen dataclass",
    ast.DictComp: _COMPREHENSION,
    ast.FormattedValue: _STRING,
    ast.Global: _SCOPE,
    ast.Import: "import outside the kernel: the module's names are visible inside",
    ast.ImportFrom: "import outside the kernel: the module's names are visible inside",
    ast.JoinedStr: _STRING,
    ast.List: _LIST,
    ast.Match: "kernels have no match; write if and elif",
    ast.Nonlocal: _SCOPE,
    ast.Raise: 'kernels have no exceptions; write assert condition, "message"',
    ast.Set: "kernels have no sets; compare with x in (1, 2, 3)",
    ast.SetComp: _COMPREHENSION,
    ast.Try: "kernels have no exceptions: test for the condition with if",
    ast.TryStar: "kernels have no exceptions: test for the condition with if",
    ast.With: "kernels have no with statement; open and close things around the launch",
    ast.Yield: "a kernel is no generator; store results into an array",
    ast.YieldFrom: "a kernel is no generator; store results into an array",
}
if sys.version_info >= (3, 12):
    REJECTED[ast.TypeAlias] = "kernels have no type statement; define the alias outside"
if sys.version_info >= (3, 14):
    REJECTED[ast.TemplateStr] = _STRING
"""What the language does not have, and what to write instead."""

_OPERATORS: dict[type[ast.operator], str] = {
    ast.MatMult: "@ is not an operator on numbers; loop over the products"
}


GeneratorNode = ast.GeneratorExp | ast.ListComp
FIRST_ITERABLE = "<iterable>"
"""The name in a generator for what its first loop goes over, which is evaluated outside of it."""


@record(frozen=False, eq=False)
class Parsed:
    """A function whose syntax is valid, with what its tree says about names.

    Args:
        name: The function's name.
        node: The tree.
        source: Where it stands.
        locals: Names that it binds, parameters included.
        escaping: Targets of loops that are read outside their loop.
        rebound: For each loop, the names that its body binds.
        nested: The functions inside it.
        generators: The generators inside it, each as a function that is the loop it stands for.
        items: For calls, the generator of the items of what they are given.
    """

    name: str
    node: FunctionNode
    source: Source
    locals: frozenset[str]
    escaping: frozenset[str]
    rebound: dict[ast.AST, frozenset[str]]
    nested: dict[FunctionNode, Parsed] = field(default_factory=dict)
    generators: dict[GeneratorNode, Parsed] = field(default_factory=dict)
    items: dict[ast.expr, GeneratorNode] = field(default_factory=dict)

    @property
    def body(self) -> list[ast.stmt]:
        if isinstance(self.node, ast.FunctionDef):
            return self.node.body
        returned = ast.copy_location(ast.Return(self.node.body), self.node.body)
        return [returned]


_PARSED: weakref.WeakKeyDictionary[Captured, Parsed] = weakref.WeakKeyDictionary()


def parse(function: types.FunctionType) -> Parsed:
    """The checked tree of a function; the same object for the same code.

    Raises:
        CompileError: No source, or syntax that the language does not have: every place.
    """
    captured = capture(function)
    found = _PARSED.get(captured)
    if found is not None:
        return found
    diagnostics = check(captured)
    if diagnostics:
        raise CompileError(captured.name, diagnostics)
    parsed = facts(captured.name, captured.node, captured.source)
    _PARSED[captured] = parsed
    return parsed


def check(captured: Captured) -> list[Diagnostic]:
    """Every place of a function whose syntax the language does not have."""
    checker = _Checker(captured.source)
    checker.function(captured.node)
    return checker.diagnostics


class _Checker(ast.NodeVisitor):
    def __init__(self, source: Source) -> None:
        self._source = source
        self._loops = 0
        self.diagnostics: list[Diagnostic] = []

    def _refuse(self, node: ast.AST, message: str) -> None:
        self.diagnostics.append(Diagnostic(self._source.span(node), message))

    def visit(self, node: ast.AST) -> None:
        message = REJECTED.get(type(node))
        if message is None:
            super().visit(node)
        else:
            self._refuse(node, message)

    def function(self, node: FunctionNode) -> None:
        if node.args.kwarg is not None:
            self._refuse(node.args.kwarg, "kernels have no **keywords; name each parameter")
        outer, self._loops = self._loops, 0
        for statement in node.body if isinstance(node, ast.FunctionDef) else [node.body]:
            self.visit(statement)
        self._loops = outer

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.decorator_list:
            self._refuse(
                node.decorator_list[0], "functions inside a kernel have no decorators; leave it out"
            )
        self._inner(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inner(node)

    def _inner(self, node: FunctionNode) -> None:
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        self.function(node)

    def visit_For(self, node: ast.For) -> None:
        self._loop(node, node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self._loop(node, node.orelse)

    def _loop(self, node: ast.For | ast.While, orelse: list[ast.stmt]) -> None:
        if orelse:
            self._refuse(orelse[0], "kernels have no else of a loop; set a flag before break")
        self._loops += 1
        self.generic_visit(node)
        self._loops -= 1

    def visit_Call(self, node: ast.Call) -> None:
        for keyword in node.keywords:
            if keyword.arg is None:
                self._refuse(keyword.value, "kernels have no **keywords; name each argument")
        if isinstance(node.func, ast.Attribute):
            self._method(node, node.func)
        self.visit(node.func)
        for argument in node.args:
            if isinstance(argument, GeneratorNode):
                self._generator(argument)
            else:
                self.visit(argument.value if isinstance(argument, ast.Starred) else argument)
        for keyword in node.keywords:
            self.visit(keyword.value)

    def _method(self, node: ast.Call, function: ast.Attribute) -> None:
        is_text = isinstance(function.value, ast.Constant) and isinstance(function.value.value, str)
        if is_text:
            self._refuse(node, _STRING)
        elif function.attr in {"append", "extend", "pop", "insert"}:
            self._refuse(node, _LIST)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._refuse(node, _STRAY_GENERATOR)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._refuse(node, _STRAY_LIST)

    def _generator(self, node: GeneratorNode) -> None:
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr):
                self._refuse(part, "a generator cannot bind names with :=; write a loop")
            elif isinstance(part, ast.comprehension) and part.is_async:
                self._refuse(part.target, _ASYNC)
            elif isinstance(part, ast.Starred) and part is node.elt:  # since Python 3.15
                self._refuse(part, "a generator cannot unpack with *; write a loop")
        self.generic_visit(node)

    def visit_Tuple(self, node: ast.Tuple) -> None:
        for item in node.elts:
            self.visit(item.value if isinstance(item, ast.Starred) else item)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._operator(node, node.op)
        text = isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        if text and isinstance(node.op, ast.Mod):
            self._refuse(node, _STRING)
        else:
            self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._operator(node, node.op)
        self.generic_visit(node)

    def _operator(self, node: ast.AST, operator: ast.operator) -> None:
        message = _OPERATORS.get(type(operator))
        if message is not None:
            self._refuse(node, message)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is None:
            self._refuse(node, f"expected a value: {ast.unparse(node)} = ...")
        elif not isinstance(node.target, ast.Name):
            self._refuse(node.target, "only a name can have an annotation")
        else:
            self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        if isinstance(node.test, ast.Tuple) and node.test.elts:
            self._refuse(
                node.test, 'a tuple is always true; write assert condition, "message" without ()'
            )
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bytes):
            self._refuse(node, "kernels have no bytes; use integers")


# --- Facts about names -----------------------------------------------------------------------


def facts(name: str, node: FunctionNode, source: Source) -> Parsed:
    """What a function's tree says about its names, and about the functions inside it."""
    collector = _Collector(source)
    collector.parameters(node.args)
    body = node.body if isinstance(node, ast.FunctionDef) else [node.body]
    for statement in body:
        collector.visit(statement)
    escaping = frozenset(collector.escaping & collector.targets)
    return Parsed(
        name,
        node,
        source,
        frozenset(collector.locals),
        escaping,
        collector.rebound,
        collector.nested,
        collector.generators,
    )


def as_loop(node: GeneratorNode) -> ast.FunctionDef:
    """The loops that a generator stands for, as a function that yields each item.

    >>> print(ast.unparse(as_loop(ast.parse("(f(x) for x in t if x)", mode="eval").body)))
    def generator():
        for x in <iterable>:
            if x:
                yield f(x)
    """

    def copy_place(made: Any, at: ast.AST) -> Any:
        return ast.copy_location(made, at)

    item: ast.expr = copy_place(ast.Yield(node.elt), node.elt)
    body: ast.stmt = copy_place(ast.Expr(item), node.elt)
    for number, clause in reversed([*enumerate(node.generators)]):
        for condition in reversed(clause.ifs):
            body = copy_place(ast.If(condition, [body], []), condition)
        name = copy_place(ast.Name(FIRST_ITERABLE, ast.Load()), clause.iter)
        iterable = clause.iter if number else name
        body = copy_place(ast.For(clause.target, iterable, [body], []), clause.target)
    nothing = ast.arguments([], [], None, [], [], None, [])
    made: ast.FunctionDef = copy_place(ast.FunctionDef("generator", nothing, [body], []), node)
    return made


def items_generator(parsed: Parsed, call: ast.expr) -> GeneratorNode:
    """``i for i in ...`` of what a call was given; the same one each time."""
    found = parsed.items.get(call)
    if found is None:
        target, item = (ast.Name("i", context) for context in (ast.Store(), ast.Load()))
        clause = ast.comprehension(ast.copy_location(target, call), call, [], 0)
        found = ast.copy_location(ast.GeneratorExp(ast.copy_location(item, call), [clause]), call)
        parsed.items[call] = found
        parsed.generators[found] = _generator_facts(found, parsed.source)
    return found


def _generator_facts(node: GeneratorNode, source: Source) -> Parsed:
    inner = facts("generator", as_loop(node), source)
    inner.locals |= {FIRST_ITERABLE}
    return inner


class _Collector(ast.NodeVisitor):
    """One walk over a function: its names, which loop targets are read outside their loop."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._active: list[str] = []  # targets of the loops around
        self._bound_in: list[set[str]] = []  # names bound in the body of each loop around
        self.locals: set[str] = set()
        self.targets: set[str] = set()
        self.escaping: set[str] = set()
        self.rebound: dict[ast.AST, frozenset[str]] = {}
        self.nested: dict[FunctionNode, Parsed] = {}
        self.generators: dict[GeneratorNode, Parsed] = {}

    def parameters(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [arguments.vararg] if arguments.vararg is not None else []
        self.locals.update(argument.arg for argument in every)

    def _bind(self, name: str) -> None:
        self.locals.add(name)
        if self._bound_in:
            self._bound_in[-1].add(name)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if node.id not in self._active:
                self.escaping.add(node.id)
        else:
            self._bind(node.id)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self._active:
            self.escaping.add(node.target.id)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._bind(node.name)
        self._inner(node.name, node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._inner("lambda", node)

    def _inner(self, name: str, node: FunctionNode) -> None:
        inner = facts(name, node, self._source)
        self.nested[node] = inner
        # An inner function may be called after the loop: what it reads of ours escapes.
        self.escaping.update(
            found.id
            for found in ast.walk(node)
            if isinstance(found, ast.Name) and found.id not in inner.locals
        )
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(default)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._generator(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._generator(node)

    def _generator(self, node: GeneratorNode) -> None:
        self.visit(node.generators[0].iter)
        inner = self.generators[node] = _generator_facts(node, self._source)
        # It runs where it stands, so what it reads of ours does not escape the loops around it.
        for found in ast.walk(node):
            if isinstance(found, ast.Name) and found.id not in inner.locals:
                self.visit_Name(found)

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        targets = [n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)]
        self.targets.update(targets)
        # A loop around that has the name, too, may read it after this one.
        self.escaping.update(name for name in targets if name in self._active)
        for name in targets:
            self._bind(name)
        self._active += targets
        self._body(node, node.body)
        del self._active[len(self._active) - len(targets) :]

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._body(node, node.body)

    def _body(self, loop: ast.AST, body: list[ast.stmt]) -> None:
        self._bound_in.append(set())
        for statement in body:
            self.visit(statement)
        bound = self._bound_in.pop()
        self.rebound[loop] = frozenset(bound)
        if self._bound_in:
            self._bound_in[-1] |= bound
