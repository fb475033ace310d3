"""What a check's process tells ours while it runs: lines of JSON on a pipe.

Standard output is left to the check, and to whatever it loads.
"""

from __future__ import annotations

import json
import os
from typing import Any

VARIABLE = "SPEEDMETAL_DOCTOR_EVENTS"
"""Environment variable with the number of the pipe's end that a check writes to."""


class Events:
    """The end of the pipe in a check's process; events go nowhere where there is no pipe."""

    def __init__(self) -> None:
        number = os.environ.get(VARIABLE, "")
        self._pipe = int(number) if number else None
        if self._pipe is not None:
            os.set_inheritable(self._pipe, False)

    def send(self, **fields: Any) -> None:
        """Tell something.

        Raises:
            BrokenPipeError: Nobody listens any more.
        """
        if self._pipe is None:
            return
        data = json.dumps(fields).encode() + b"\n"
        while data:
            data = data[os.write(self._pipe, data) :]
