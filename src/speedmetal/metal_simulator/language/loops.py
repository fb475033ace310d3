"""Loops in which threads wait for each other say when they begin, turn and end.

Lanes of a simdgroup are together where they are at the same place of the program. In a loop that
some of them leave earlier, or in which they skip turns, a place alone does not tell that: the
runtime counts turns, between the calls that are put in here.

    for (int i = 0; i < n; ++i) { ... }
    switch (smr::loop smr_loop; 0) default: for (int i = 0; smr_loop.turn(), i < n; ++i) { ... }

The ``switch`` makes the loop and its number one statement, wherever a statement may stand; the
number's destructor tells the loop's end, on every way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from speedmetal.metal_simulator.language.reach import Reach
from speedmetal.metal_simulator.language.rewriting import Rewriter
from speedmetal.msl.diagnostics import MslDiagnostic, MslError
from speedmetal.msl.structure import Declaration, Sort
from speedmetal.msl.tokens import Tokens

_ENTER = "switch (smr::loop smr_loop; 0) default: "
_TURN = "smr_loop.turn()"


def count_turns(
    tokens: Tokens, rewriter: Rewriter, declarations: Iterable[Declaration], reach: Reach
) -> None:
    """Put the calls around every loop from which threads may come to wait for each other.

    Raises:
        MslError: A loop is written in a way that is not understood.
    """
    for declaration in declarations:
        if declaration.sort is Sort.INSTANTIATION or not reach.may_wait(declaration):
            continue
        for index in _at_run_time(tokens, declaration.begin, declaration.end):
            _count(tokens, rewriter, index)


def _at_run_time(tokens: Tokens, begin: int, end: int) -> Iterator[int]:
    """The tokens outside ``constexpr`` functions; the compiler runs those, where nobody waits."""
    is_constexpr = [False]  # of each pair of braces around the token
    head = False  # whether the word stands in what comes before the next brace
    outside: list[bool] = []  # the same, where each open parenthesis stands
    for index in range(begin, end):
        word = tokens.words[index]
        if word == "constexpr" and tokens.word(index - 1) != "if":
            head = True
        elif word == "{":
            is_constexpr.append(is_constexpr[-1] or head)
            head = False
        elif word == "}":
            is_constexpr.pop()
        elif word == ";":
            head = False
        elif word == "(":
            outside.append(head)
        elif word == ")":
            head = outside.pop()
        if not is_constexpr[-1]:
            yield index


def _count(tokens: Tokens, rewriter: Rewriter, index: int) -> None:
    word = tokens.words[index]
    if word == "for" and tokens.word(index + 1) == "(":
        condition = _condition(tokens, index + 1)
        if condition is not None:  # else it runs over a range, whose length is constant
            _enter(tokens, rewriter, index)
            _turn(tokens, rewriter, condition)
    elif word == "do":
        if tokens.word(index + 1) != "{":
            message = (
                "the simulator follows threads that wait for each other through do loops with"
                " braces; put the body in { }"
            )
            raise MslError([MslDiagnostic(*tokens.place(index), "error", message)], tokens.text)
        _enter(tokens, rewriter, index)
    elif word == "while" and tokens.word(index + 1) == "(":
        if not _ends_do(tokens, index):
            _enter(tokens, rewriter, index)
        _turn(tokens, rewriter, index + 2)


def _enter(tokens: Tokens, rewriter: Rewriter, index: int) -> None:
    between = tokens.text[tokens.list[index - 1].end : tokens.list[index].start]
    if "#" in between:  # a pragma about the loop must stay in front of it
        rewriter.insert_after(index - 1, " " + _ENTER)
    else:
        rewriter.insert_before(index, _ENTER)


def _turn(tokens: Tokens, rewriter: Rewriter, condition: int) -> None:
    is_empty = tokens.words[condition] in (";", ")")
    rewriter.insert_before(condition, _TURN if is_empty else f"{_TURN}, ")


def _condition(tokens: Tokens, opening: int) -> int | None:
    """Where the condition of ``for (...; condition; ...)`` begins."""
    index, closing = opening + 1, tokens.partner[opening]
    while index < closing:
        if tokens.words[index] == ";":
            return index + 1
        index = tokens.partner[index] + 1 if tokens.words[index] in "([{" else index + 1
    return None


def _ends_do(tokens: Tokens, index: int) -> bool:
    """Whether a ``while`` is the end of ``do ... while (...);``."""
    return tokens.word(index - 1) == "}" and tokens.word(tokens.partner[index - 1] - 1) == "do"
