"""``python -m speedmetal.code FILE.py:KERNEL "TYPES"``: the same as ``speedmetal code``.

``speedmetal.code`` is a function (in :mod:`speedmetal.launch.reflection`). This file exists because
``python -m`` needs one of that name. Python runs it as ``__main__`` and never imports it as a
submodule; an import, which would put a module in the function's place, is refused below, before
Python's import system has set anything.
"""

from __future__ import annotations

if __name__ != "__main__":
    raise ImportError(
        "speedmetal.code is a function: `from speedmetal import code`; as a module it is only a"
        " command: python -m speedmetal.code"
    )

import sys

from speedmetal.cli import main

main(["code", *sys.argv[1:]])
