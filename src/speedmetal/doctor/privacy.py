"""Keeps who and where the user is out of the file: names, hosts, and places of files.

What it replaces, it replaces in every text of the file; a user called ``float`` loses readability,
not privacy.
"""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import speedmetal

# Names that tell nothing about anybody.
COMMON_NAMES = frozenset(
    {"root", "user", "admin", "runner", "ubuntu", "localhost", "local", "mac", "nobody", "builder"}
)
# Folders that are the same on every machine.
COMMON_FOLDERS = frozenset(
    map(Path, ("/", "/usr", "/usr/local", "/opt", "/opt/homebrew", "/tmp", "/private/tmp"))  # noqa: S108
)
_HOMES = re.compile(r"(?:/private)?/(?:Users|home)/(?!Shared\b)[^/\s\"':;,)]+")
_TEMPORARY = re.compile(r"(?:/private)?/var/folders/[^/\s]+/[^/\s]+(?:/[TC]\b)?")


@dataclass(frozen=True)
class Redaction:
    """Replaces what is private; the longest texts first.

    Args:
        replacements: Patterns, and what to write instead.
    """

    replacements: tuple[tuple[re.Pattern[str], str], ...]

    def of_text(self, text: str) -> str:
        """The text without what is private."""
        for pattern, substitute in self.replacements:
            text = pattern.sub(substitute, text)
        return text

    def of_value(self, value: Any) -> Any:
        """A value of JSON, each text in it without what is private; names of fields are ours, and
        stay.
        """
        if isinstance(value, str):
            return self.of_text(value)
        if isinstance(value, dict):
            return {key: self.of_value(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.of_value(inner) for inner in value]
        return value


def redaction_of(
    folders: Iterable[tuple[Path, str]], names: Iterable[tuple[str, str]]
) -> Redaction:
    """A redaction of folders and of names, each with what to write instead.

    Example:
        >>> redaction = redaction_of([(Path("/data/anna"), "~")], [("anna", "<user>")])
        >>> redaction.of_text("/data/anna/x by Anna, in /Users/ben/y; annals")
        '~/x by <user>, in ~/y; annals'
    """
    places = {
        str(place): substitute
        for folder, substitute in folders
        for place in (folder, folder.resolve())
        if place not in COMMON_FOLDERS
    }
    words = {
        name: substitute
        for name, substitute in names
        if len(name) > 1 and name.lower() not in COMMON_NAMES
    }
    longest = sorted(places, key=len, reverse=True)
    patterns = [(re.compile(rf"{re.escape(p)}(?![\w.-])"), places[p]) for p in longest]
    patterns += [(_HOMES, "~"), (_TEMPORARY, "<temporary>")]
    # Letters of other words may not adjoin; an underscore may, as in `pytest-of-anna_2`.
    patterns += [
        (re.compile(rf"(?<![^\W_]){re.escape(w)}(?![^\W_])", re.IGNORECASE), words[w])
        for w in sorted(words, key=len, reverse=True)
    ]
    return Redaction(tuple(patterns))


def redaction_of_this_machine() -> Redaction:
    """Of this user, this machine, and the folders that speedmetal and Python are in."""
    package = Path(speedmetal.__file__).parent
    folders = [
        (Path.home(), "~"),
        (Path.cwd(), "<folder>"),
        (package, "<speedmetal>"),
        (package.parents[1], "<checkout>"),
        (Path(sys.prefix), "<python>"),
        (Path(sys.base_prefix), "<python>"),
        (Path(tempfile.gettempdir()), "<temporary>"),
    ]
    return redaction_of(
        folders,
        [
            *((name, "<user>") for name in _user_names()),
            *((name, "<host>") for name in _host_names()),
        ],
    )


def _user_names() -> list[str]:
    names = [os.environ.get(variable, "") for variable in ("USER", "LOGNAME")]
    with suppress(Exception):  # no entry of this user, or no way to ask
        import pwd

        entry = pwd.getpwuid(os.getuid())
        names += [entry.pw_name, entry.pw_gecos.split(",")[0]]
    with suppress(Exception):
        names.append(getpass.getuser())
    return [name for name in names if name]


def _host_names() -> list[str]:
    names = [socket.gethostname(), platform.node()]
    if sys.platform == "darwin":
        for kind in ("ComputerName", "LocalHostName", "HostName"):
            with suppress(OSError):
                asked = subprocess.run(
                    ["scutil", "--get", kind], capture_output=True, text=True, check=False
                )
                names.append(asked.stdout.strip())
    return [part for name in names if name for part in (name, name.split(".")[0]) if part]
