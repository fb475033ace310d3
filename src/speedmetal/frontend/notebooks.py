"""What notebooks do with code: run cells under names without source, reload modules in place."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any


def cell_of(code: types.CodeType) -> list[str]:
    """The lines of the cell that a magic such as ``%%time`` has run; empty where there is none.

    IPython keeps the source of cells, but not that of their part that it gives to a magic. The
    newest such part from which Python makes this very code is the one.
    """
    module = sys.modules.get("IPython")
    shell: Any = module.get_ipython() if module is not None else None
    if shell is None or not code.co_filename.startswith("<"):
        return []
    for cell in reversed(shell.history_manager.input_hist_raw):
        first, _, rest = cell.lstrip().partition("\n")
        if first.startswith("%%") and code.co_name.strip("<>") in rest:
            text: str = shell.transform_cell(rest)
            if code in codes_in(text, code.co_filename, shell.compile):
                return text.splitlines(keepends=True)
    return []


def codes_in(
    text: str, name: str, make: Callable[[str, str, str], types.CodeType]
) -> Iterator[types.CodeType]:
    """The code of every function, class and lambda of a text; none where it is no Python."""
    try:
        pending = [make(text, name, "exec")]
    except (SyntaxError, ValueError):
        return
    while pending:
        code = pending.pop()
        yield code
        pending += (part for part in code.co_consts if isinstance(part, types.CodeType))


def follow_reloads(kind: type, update: Callable[[Any, Any], None]) -> None:
    """Let ``%autoreload`` bring objects of a kind up to date, as it does functions.

    Args:
        kind: Of the objects.
        update: Gets the object from before a module was loaded again, and the one from after.
    """
    module = sys.modules.get("IPython.extensions.autoreload")
    # IPython 8 has the name in small letters.
    rules = getattr(module, "UPDATE_RULES", getattr(module, "update_rules", None))
    if isinstance(rules, list) and all(rule[1] is not update for rule in rules):
        rules.append((lambda *pair: all(isinstance(one, kind) for one in pair), update))
