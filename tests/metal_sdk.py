"""What PyObjC's packages on PyPI say of Apple's SDK: fetched when tests run, never stored with us.

The source distribution of a framework holds a dump of the whole SDK (every class, protocol,
selector, type, and the macOS that introduced it); its wheel for macOS holds the metadata that the
bridge works with (which arguments are outputs, which are arrays). Both are read on any system.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import types
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VERSION = "12.2.2"

# Distribution, then the path of the dump in its sources and of the metadata in its wheel.
PACKAGES = {
    "Metal": (
        "pyobjc-framework-Metal",
        "metadata/raw/arm64-26.5.fwinfo",
        "Metal/_metadata.py",
    ),
    "Foundation": (
        "pyobjc-framework-Cocoa",
        "metadata/raw.Foundation/arm64-26.5.fwinfo",
        "Foundation/_metadata.py",
    ),
}


class UnreachableError(Exception):
    """PyPI does not answer."""


@dataclass(frozen=True)
class Method:
    """A selector of the SDK, types in the kinds of the simulator's table."""

    kinds: tuple[str, ...]
    result: str
    introduced: tuple[int, ...] | None
    of_class: bool


@dataclass
class Sdk:
    """The facts of several frameworks."""

    classes: dict[str, dict[str, Method]] = field(default_factory=dict)
    protocols: dict[str, dict[str, Method]] = field(default_factory=dict)
    parents: dict[str, set[str]] = field(default_factory=dict)
    enumerations: dict[str, int] = field(default_factory=dict)
    bridged_enumerations: dict[str, int] = field(default_factory=dict)
    strings: dict[str, tuple[int, ...] | None] = field(default_factory=dict)
    structures: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    functions: dict[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    # Of the wheels: class, selector, what the bridge knows.
    metadata: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def methods(self, owner: str) -> dict[str, Method]:
        """The selectors of a class or protocol."""
        return {**self.protocols.get(owner, {}), **self.classes.get(owner, {})}


def read_sdk(folder: Path) -> Sdk:
    """The facts, from a folder that is filled where it is empty.

    Raises:
        UnreachableError: PyPI does not answer.
    """
    sdk = Sdk()
    for framework, (distribution, dump, metadata) in PACKAGES.items():
        kept = folder / f"{distribution}-{VERSION}"
        if not (kept / "metadata.py").exists():
            _fetch(distribution, dump, metadata, kept)
        known = _execute_metadata((kept / "metadata.py").read_text())
        _add_metadata(sdk, known)
        _add_dump(sdk, framework, (kept / "sdk.json").read_text(), known)
    return sdk


# Fetching.


def _fetch(distribution: str, dump: str, metadata: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheel = _download_wheel(distribution, folder)
        staged = folder / "staged"
        staged.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            (staged / "metadata.py").write_bytes(archive.read(metadata))
        (staged / "sdk.json").write_bytes(_source_file(distribution, dump, folder))
        target.parent.mkdir(parents=True, exist_ok=True)
        # Processes that test side by side fetch the same; whoever is first keeps its own.
        moved = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.move(staged, moved)
        try:
            moved.rename(target)
        except OSError:
            shutil.rmtree(moved)


def _pip(*options: str, scratch: Path) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps"]
    environment = {**os.environ, "TMPDIR": str(scratch)}
    done = subprocess.run(
        [*command, *options],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    if "from versions: none" in done.stdout or "Connection" in done.stdout:
        raise UnreachableError(done.stdout.strip().splitlines()[-1])
    return done.stdout


def _download_wheel(distribution: str, folder: Path) -> Path:
    target = folder / "wheel"
    output = _pip(
        f"{distribution}=={VERSION}",
        "--only-binary=:all:",
        "--platform=macosx_11_0_universal2",
        "--python-version=3.11",
        f"--dest={target}",
        scratch=folder,
    )
    wheels = list(target.glob("*.whl"))
    assert len(wheels) == 1, output
    return wheels[0]


def _source_file(distribution: str, path: str, folder: Path) -> bytes:
    """A file of the source distribution.

    Asking a source distribution for its dependencies runs its build, which stops where there is no
    macOS; pip has unpacked it by then, and leaves it where it is told not to clean.
    """
    unpacking = folder / "unpacked"
    unpacking.mkdir()
    archives = folder / "sources"
    output = _pip(
        f"{distribution}=={VERSION}",
        "--no-binary=:all:",
        "--no-build-isolation",
        "--no-clean",
        f"--dest={archives}",
        scratch=unpacking,
    )
    for found in unpacking.glob(f"*/*/{path}"):
        return found.read_bytes()
    for archive in archives.glob("*.tar.gz"):
        with tarfile.open(archive) as sources:
            for member in sources.getmembers():
                if member.name.endswith(path):
                    extracted = sources.extractfile(member)
                    assert extracted is not None
                    return extracted.read()
    raise AssertionError(f"no {path} in the sources of {distribution}:\n{output}")


# Reading the wheel's metadata.


@dataclass
class _Known:
    selectors: dict[str, dict[str, dict[str, Any]]]
    structures: dict[str, tuple[str, list[str]]]
    enumerations: dict[str, int]


class _Anything:
    """Whatever the metadata asks of ``objc`` beyond what is wanted here."""

    def __getattr__(self, _: str) -> Any:
        return _Anything()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return _Anything()


def _execute_metadata(text: str) -> _Known:
    """Run the metadata, which is a Python module, with a stand-in for ``objc`` that takes notes."""
    known = _Known({}, {}, {})
    objc = types.ModuleType("objc")

    def register(owner: bytes, selector: bytes, facts: dict[str, Any]) -> None:
        known.selectors.setdefault(owner.decode(), {})[selector.decode()] = facts

    def structure(name: str, encoding: bytes, fields: list[str] | None = None, *_: Any) -> Any:
        known.structures[name.rpartition(".")[2]] = (encoding.decode(), fields or [])
        return _Anything()

    anything = _Anything()
    vars(objc).update(
        registerMetaDataForSelector=register,
        createStructType=structure,
        arch="arm64",
        __getattr__=lambda _: anything,
    )
    before = sys.modules.get("objc")
    sys.modules["objc"] = objc
    names: dict[str, Any] = {"__name__": "_metadata"}
    try:
        exec(compile(text, "_metadata.py", "exec"), names)  # noqa: S102 - the framework's own
    finally:
        if before is None:
            del sys.modules["objc"]
        else:
            sys.modules["objc"] = before
    for match in re.finditer(r"\$(\w+)@(-?\d+)", names.get("enums", "")):
        known.enumerations[match[1]] = int(match[2])
    return known


def _add_metadata(sdk: Sdk, known: _Known) -> None:
    sdk.bridged_enumerations.update(known.enumerations)
    for owner, selectors in known.selectors.items():
        sdk.metadata.setdefault(owner, {}).update(selectors)


# Reading the SDK's dump.


def _add_dump(sdk: Sdk, framework: str, text: str, known: _Known) -> None:
    facts = json.loads(text[text.index("{") :])["definitions"]  # comments stand before it
    for kind, owners in (
        ("classes", sdk.classes),
        ("formal_protocols", sdk.protocols),
    ):
        for name, owner in facts[kind].items():
            owners[name] = dict(_methods(name, owner, known))
            inherited = [owner.get("super"), *owner.get("implements", ())]
            sdk.parents[name] = {parent for parent in inherited if parent}
    sdk.enumerations.update({name: fact.get("value") for name, fact in facts["enum"].items()})
    for name, fact in facts["externs"].items():
        sdk.strings[name] = _version(fact.get("introduced"))
    for name, fact in facts["structs"].items():
        sdk.structures[name] = tuple(_fields(fact))
    for name, fact in facts["functions"].items():
        arguments = tuple(
            _kind(argument, {}) for argument in fact["args"] if argument["typestr"] != "v"
        )
        sdk.functions[name] = (arguments, _kind(fact["retval"], {}))
    assert framework in PACKAGES


def _methods(owner: str, facts: Mapping[str, Any], known: _Known) -> Iterator[tuple[str, Method]]:
    for method in facts.get("methods", ()):
        selector = method["selector"]
        bridged = known.selectors.get("NSObject", {}).get(selector) or known.selectors.get(
            owner, {}
        ).get(selector, {})
        arguments = bridged.get("arguments", {})
        kinds = tuple(
            _kind(argument, arguments.get(position, {}))
            for position, argument in enumerate(method["args"], 2)
        )
        result = _kind(method["retval"], bridged.get("retval", {}))
        if method["retval"].get("instancetype"):
            result = owner
        introduced = _version(method.get("introduced"))
        yield selector, Method(kinds, result, introduced, bool(method.get("class_method")))


def _version(text: str | None) -> tuple[int, ...] | None:
    return tuple(int(part) for part in text.split(".")) if text else None


def _fields(fact: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    letters = fact["typestr"].partition("=")[2].rstrip("}")
    for name, letter in zip(fact["fieldnames"], letters, strict=False):
        yield name, _SCALARS.get(letter, letter)


_SCALARS = {
    "v": "",
    "Q": "uint",
    "I": "uint",
    "q": "int",
    "Z": "bool",
    "d": "double",
    "z": "byte",
    "C": "byte",
    "@?": "block",
}
_OBJECTS = {"NSString": "string", "NSErrorDomain": "string", "NSArray": "list"}


def _kind(fact: Mapping[str, Any], bridged: Mapping[str, Any]) -> str:
    """A type in the table's words: the SDK's own, changed by what the bridge knows of it."""
    letters, name = fact.get("typestr") or "@", fact.get("type_name") or ""
    if letters.startswith("^"):
        return _pointer_kind(letters, name, bridged)
    if letters in _SCALARS:
        return _SCALARS[letters]
    if letters.startswith("{"):
        return re.sub(r"^_", "", letters[1:].partition("=")[0])
    return _object_kind(name)


def _pointer_kind(letters: str, name: str, bridged: Mapping[str, Any]) -> str:
    if _text(bridged.get("type_modifier")) == "o":
        return "out NSError" if letters == "^@" else f"out {_SCALARS.get(letters[1:], letters[1:])}"
    if bridged.get("c_array_of_variable_length"):
        return "memory"
    length = bridged.get("c_array_length_in_arg")
    if length is None:
        return "address" if letters == "^v" else "null"
    element = {"^v": "bytes", "^Q": "uint"}.get(letters) or _object_kind(name)
    return f"{element}[{length - 2}]"


def _object_kind(name: str) -> str:
    match = re.match(r"id<(\w+)>|(\w+)", name)
    found = (match[1] or match[2]) if match else "id"
    if found == "id":
        return "object"
    if found == "NSDictionary":
        return "dict"
    return _OBJECTS.get(found, found)


def _text(value: bytes | str | None) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def plain(metadata: Any) -> Any:
    """Metadata with all its text as bytes; the wheel has both."""
    if isinstance(metadata, Mapping):
        return {key: plain(value) for key, value in metadata.items()}
    return metadata.encode() if isinstance(metadata, str) else metadata


@functools.cache
def cached_sdk(folder: Path) -> Sdk:
    """The facts, read once in a process."""
    return read_sdk(folder)
