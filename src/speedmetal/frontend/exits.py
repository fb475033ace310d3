"""Leaving a region early where the IR has no jump: inlined ``return``, unrolled ``break``.

The code after an ``if`` of which one branch has left goes into the other branch, so that mostly
no flag is needed. Where both go on, but a part of one has left, a flag guards what follows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from speedmetal import dtypes
from speedmetal.frontend.binding import merge
from speedmetal.frontend.emit import Flag, OpenIf, SetFlag
from speedmetal.frontend.frames import Env, Label
from speedmetal.frontend.interpreter import AbstractInterpreter, Region
from speedmetal.ir import nodes as ir
from speedmetal.source import SourceSpan


def leave(run: AbstractInterpreter, label: Label) -> None:
    """Go to the end of a label's region: set its flag, and break out of the loops in it."""
    label.exits.append(run.frame.env.changes_since(label.env))
    run.emit(SetFlag(label.flag, value=True))
    if len(run.open_loops) > label.depth:
        _ask(run, label.flag)
        run.emit(ir.Break(label.flag.span))
        run.open_loops[-1].exits.add(label)
    else:
        run.exits.add(label)
    run.live = False


def _ask(run: AbstractInterpreter, flag: Flag) -> ir.Read:
    """Read a flag; its variable is made when somebody first asks for it."""
    if flag.variable is None:
        flag.variable = run.variable(flag.name, dtypes.bool_, flag.span)
    return ir.Read(flag.variable, flag.span)


def run_with_label(
    run: AbstractInterpreter, name: str, node: ast.AST, body: Callable[[Label], None]
) -> None:
    """Run a body that may leave its label, and go on after it."""
    span = run.span(node)
    frame, outer = run.frame, run.frame.env
    label = Label(Flag(name, span), run.block, len(run.open_loops), outer)
    run.emit(SetFlag(label.flag, value=False))
    outer_exits, run.exits = run.exits, set()
    frame.env = Env(outer)
    try:
        body(label)
        changes = frame.env.own
    except BaseException:
        run.block = label.home
        raise
    finally:
        frame.env = outer
        left, run.exits = run.exits - {label}, run.exits | outer_exits
        run.exits.discard(label)
    merge(run, frame, label.exits + ([changes] if run.live else []))
    if label.exits:
        run.block, run.live = label.home, True
        guard(run, left, span)


def guard(run: AbstractInterpreter, labels: set[Label], span: SourceSpan) -> None:
    """Let what follows run only where none of the labels has been left."""
    if not labels:
        return
    ordered = sorted(labels, key=lambda label: label.flag.name)
    condition: ir.Expression = _ask(run, ordered[0].flag)
    for label in ordered[1:]:
        flag = _ask(run, label.flag)
        condition = ir.Logical("or", condition, flag, dtypes.bool_, span)
    staying = OpenIf(ir.Unary("not", condition, dtypes.bool_, span), span)
    run.emit(staying)
    run.block = staying.body


def after_loop(run: AbstractInterpreter, labels: set[Label], span: SourceSpan) -> None:
    """After a loop of the IR: go on leaving the labels that were left from inside it."""
    here = {label for label in labels if label.depth >= len(run.open_loops)}
    for label in sorted(labels - here, key=lambda label: label.flag.name):
        leaving = OpenIf(_ask(run, label.flag), span, [ir.Break(span)])
        run.emit(leaving)
        run.open_loops[-1].exits.add(label)
    run.exits |= here
    guard(run, here, span)


def after_branches(
    run: AbstractInterpreter, first: Region, second: Region, span: SourceSpan
) -> None:
    """Go on after an ``if`` of the running program, whose branches ended like this."""
    frame = run.frame
    exits = first.exits | second.exits
    run.exits |= exits
    if first.live and second.live:
        merge(run, frame, [first.changes, second.changes])
        guard(run, exits, span)
    elif first.live or second.live:
        going, gone = (first, second) if first.live else (second, first)
        frame.env.own.update(going.changes)
        if gone.exits or going.end is not going.start:
            run.block = going.end
    else:
        run.live = False


def branch(
    run: AbstractInterpreter,
    condition: ir.Expression,
    span: SourceSpan,
    body: Callable[[], None],
    orelse: Callable[[], None],
) -> None:
    """An ``if`` of the running program."""
    statement = OpenIf(condition, span)
    run.emit(statement)
    first = run.region(statement.body, body)
    second = run.region(statement.orelse, orelse)
    after_branches(run, first, second, span)
