"""What the backend sends, against Apple's SDK as PyObjC's packages on PyPI state it.

Every row of the simulator's table is a fact of the SDK, every message that the Metal backend sends
is in the table, and whatever is younger than the oldest macOS is guarded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import metal_sdk
import speedmetal.backends.metal
from speedmetal.backends.metal.driver import bridge
from speedmetal.metal_simulator import api
from speedmetal.metal_simulator.api import sdk as table
from speedmetal.metal_simulator.api.facts import FLOOR, Owner, Selector, read_owners
from speedmetal.metal_simulator.api.modules import NATIVES

BACKEND = Path(speedmetal.backends.metal.__file__).parent
# No dump of a framework has it: it belongs to Objective-C's runtime.
RUNTIME_OWNERS = {"NSObject"}
ANY_SYSTEM = (99, 0, 0)


@pytest.fixture(scope="module")
def sdk(request: pytest.FixtureRequest, tmp_path_factory) -> metal_sdk.Sdk:
    cache = getattr(request.config, "cache", None)  # may be switched off
    folder = cache.mkdir("metal-sdk") if cache else tmp_path_factory.mktemp("metal-sdk")
    try:
        return metal_sdk.cached_sdk(folder)
    except metal_sdk.UnreachableError as error:
        pytest.skip(f"PyPI cannot be reached: {error}")


# The table against the SDK.


def owner_findings(owner: Owner, sdk: metal_sdk.Sdk) -> Iterator[str]:
    """What the table says of an owner that the SDK does not."""
    known = sdk.classes if owner.is_class else sdk.protocols
    if owner.name not in known:
        yield f"{owner.name} is no {'class' if owner.is_class else 'protocol'}"
        return
    for parent in owner.parents:
        if parent not in sdk.parents[owner.name]:
            yield f"{owner.name} does not inherit from {parent}"
    methods = sdk.methods(owner.name)
    for row in owner.selectors:
        name = f"{owner.name} {row.objective_c}"
        if row.objective_c not in methods:
            yield f"{name} does not exist"
            continue
        for finding in selector_findings(row, methods[row.objective_c]):
            yield f"{name} {finding}"


def selector_findings(row: Selector, method: metal_sdk.Method) -> Iterator[str]:
    kinds = tuple(argument.text for argument in row.arguments)
    if kinds != method.kinds:
        yield f"takes {method.kinds}, the table says {kinds}"
    if row.result != method.result:
        yield f"gives {method.result!r}, the table says {row.result!r}"
    if row.of_class != method.of_class:
        yield f"is a method of the {'class' if method.of_class else 'object'}"
    if method.introduced is not None and row.introduced != method.introduced:
        yield f"came with {method.introduced}, the table says {row.introduced}"
    if row.guarded != (row.introduced > FLOOR):
        yield f"came with {row.introduced}: guarded is {row.guarded}"


def test_every_selector_is_in_the_sdk(sdk):
    owners = [owner for owner in table.OWNERS.values() if owner.name not in RUNTIME_OWNERS]
    assert len(owners) > 40
    assert [finding for owner in owners for finding in owner_findings(owner, sdk)] == []


@pytest.mark.parametrize(
    ("row", "finding"),
    [
        ("lenght() -> uint", "MTLBuffer lenght does not exist"),
        ("length() -> int", "MTLBuffer length gives 'uint', the table says 'int'"),
        ("+ length() -> uint", "MTLBuffer length is a method of the object"),
        ("didModifyRange_(uint)", "takes ('NSRange',), the table says ('uint',)"),
        ("gpuAddress() -> uint @15.0 guarded", "came with (13, 0), the table says (15, 0)"),
        ("gpuAddress() -> uint @13.0 guarded", "guarded is True"),
    ],
)
def test_a_wrong_row_is_found(sdk, row, finding):
    (owner,) = read_owners(f"protocol MTLBuffer(MTLResource) 10.11\n    {row}")
    findings = list(owner_findings(owner, sdk))
    assert len(findings) == 1
    assert finding in findings[0]


def test_a_wrong_owner_is_found(sdk):
    (owner,) = read_owners("class MTLBuffer 10.11\n    length() -> uint")
    assert list(owner_findings(owner, sdk)) == ["MTLBuffer is no class"]
    (owner,) = read_owners("protocol MTLFence(MTLResource) 10.13")
    assert list(owner_findings(owner, sdk)) == ["MTLFence does not inherit from MTLResource"]


def value_findings(values: Mapping[str, int], sdk: metal_sdk.Sdk) -> Iterator[str]:
    """Constants that the SDK's dump or the bridge does not have, or with another value."""
    for name, value in values.items():
        # ``MTLCounterErrorValue`` is an expression of a macro: only the bridge has it.
        found = sdk.enumerations.get(name, sdk.bridged_enumerations.get(name))
        for source, number in (("SDK", found), ("bridge", sdk.bridged_enumerations.get(name))):
            if number is None:
                yield f"{name} is not in the {source}"
            elif number % (1 << 64) != value:
                yield f"{name} is {number} in the {source}, the table says {value}"


def test_every_constant_is_in_the_sdk(sdk):
    assert len(table.ENUMERATIONS) > 150
    assert list(value_findings(table.ENUMERATIONS, sdk)) == []
    assert list(value_findings({"MTLMathModeSafe": 1, "MTLMathModeWild": 7}, sdk)) == [
        "MTLMathModeSafe is 0 in the SDK, the table says 1",
        "MTLMathModeSafe is 0 in the bridge, the table says 1",
        "MTLMathModeWild is not in the SDK",
        "MTLMathModeWild is not in the bridge",
    ]


def test_every_string_structure_and_function_is_in_the_sdk(sdk):
    assert min(map(len, (table.STRINGS, table.STRUCTURES, table.FUNCTIONS))) >= 2
    for name, constant in table.STRINGS.items():
        assert sdk.strings[name] == constant.introduced
        assert constant.guarded == (constant.introduced > FLOOR)
    for name, structure in table.STRUCTURES.items():
        assert sdk.structures[name] == structure.fields
    for name, function in table.FUNCTIONS.items():
        arguments, result = sdk.functions[name]
        assert arguments == function.arguments
        # Functions give objects without saying of which class.
        assert result in {function.result, "object"}


# The simulated classes against the table.


def test_the_simulated_classes_have_the_tables_selectors_and_no_others():
    modules = api.modules(api.Configuration(os_version=ANY_SYSTEM))
    extra = {"alloc", "new"}  # every class has them
    assert len(table.OWNERS) > 20
    for name, owner in table.OWNERS.items():
        proxy = modules.objc.lookUpClass(name)
        names = {attribute for attribute in vars(proxy) if not attribute.startswith("__")}
        assert names - extra == {row.name for row in owner.selectors}, name
    assert set(NATIVES) == set(table.OWNERS)


# The backend against the table.


@dataclass(frozen=True)
class Use:
    """A place in the backend that names something of Metal."""

    name: str
    line: int
    arguments: int | None
    guards: frozenset[str]


def uses(text: str) -> Iterator[Use]:
    """Selectors and names of frameworks in a Python text.

    The backend's own names are in lower case with underscores inside, so a name in camel case, or
    with an underscore at its end, is Objective-C's.
    """
    for function, nodes in _nodes_by_function(ast.parse(text)):
        guards = frozenset(_guards(function))
        called = {node.func: node for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            if not isinstance(node, ast.Attribute) or not _is_foreign(node.attr):
                continue
            call = called.get(node)
            yield Use(node.attr, node.lineno, _argument_count(call), guards)


def _nodes_by_function(tree: ast.Module) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    pending: list[ast.AST] = [tree]
    while pending:
        function = pending.pop()
        nodes: list[ast.AST] = []
        inside = list(ast.iter_child_nodes(function))
        while inside:
            node = inside.pop()
            if isinstance(node, functions):
                pending.append(node)
            else:
                nodes.append(node)
                inside += ast.iter_child_nodes(node)
        yield function, nodes


def _guards(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "has"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value)


def _is_foreign(name: str) -> bool:
    return bool(
        re.fullmatch(r"(MTL|NS)[A-Z]\w*", name)
        or re.fullmatch(r"[a-z]+[A-Z][A-Za-z]*(_\w*)?_?", name)
        or re.fullmatch(r"GPU[A-Z]\w*", name)
        or re.fullmatch(r"[a-z]\w*_", name)
    )


def _argument_count(call: ast.Call | None) -> int | None:
    if call is None:
        return None
    if call.keywords or any(isinstance(argument, ast.Starred) for argument in call.args):
        return -1
    return len(call.args)


# A function of PyObjC itself, a dtype of ours and of NumPy, and the fields of structures.
OTHER_NAMES = {"registerMetaDataForSelector", "bool_"} | {
    name for structure in table.STRUCTURES.values() for name, _ in structure.fields
}


def use_findings(use: Use, guarded: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """What is wrong with a use: it is nowhere, has other arguments, or is too young."""
    place = f"line {use.line}: {use.name}"
    if {use.name} & (OTHER_NAMES | table.ENUMERATIONS.keys() | table.STRUCTURES.keys()):
        return
    introduced: list[tuple[int, ...]] = []
    if use.name in table.STRINGS:
        introduced = [table.STRINGS[use.name].introduced]
    elif use.name in table.FUNCTIONS:
        introduced = [table.FUNCTIONS[use.name].introduced]
        if use.arguments not in {None, len(table.FUNCTIONS[use.name].arguments)}:
            yield f"{place} is called with {use.arguments} arguments"
    elif use.name in table.OWNERS:
        introduced = [table.OWNERS[use.name].introduced]
    else:
        rows = table.find_selectors(use.name)
        introduced = [row.introduced for _, row in rows]
        if rows and use.arguments not in {None, use.name.count("_")}:
            yield f"{place} is called with {use.arguments} arguments"
    if not introduced:
        yield f"{place} is not in the table of SDK facts"
    elif min(introduced) > FLOOR:
        sufficient = [name for name in use.guards if guarded.get(name, (0,)) >= min(introduced)]
        if not sufficient:
            yield f"{place} came with macOS {min(introduced)} and is not guarded"


def source_findings(text: str, guarded: Mapping[str, tuple[int, int]]) -> list[str]:
    return [finding for use in uses(text) for finding in use_findings(use, guarded)]


def test_the_backend_uses_only_what_the_table_has():
    files = sorted(BACKEND.rglob("*.py"))
    assert len(files) > 5
    found = {path.name: source_findings(path.read_text(), bridge.GUARDED) for path in files}
    assert {name: findings for name, findings in found.items() if findings} == {}
    names = {use.name for path in files for use in uses(path.read_text())}
    # The scan itself sees messages of each kind.
    assert {
        "newBufferWithLength_options_",
        "MTLCompileOptions",
        "localizedDescription",
        "MTLCreateSystemDefaultDevice",
        "GPUStartTime",
    } <= names


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("b.getBytes_length_(0, 4)", "getBytes_length_ is not in the table"),
        ("d.newBufferWithLength_options_(64)", "is called with 1 arguments"),
        ("d.newBufferWithLength_options_(*two)", "is called with -1 arguments"),
        ("m.MTLResourceStorageShared", "MTLResourceStorageShared is not in the table"),
        ("m.MTLSizeMake(1, 2)", "is called with 2 arguments"),
        ("device.maxThreadsPerThreadGroup()", "is not in the table"),
        ("buffer.GPUFinishTime()", "is not in the table"),
        ("device.commit_()", "commit_ is not in the table"),
        ("options.setMathMode_(0)", "came with macOS (15, 0) and is not guarded"),
        ("bridge.has('addResidency_') and q.addResidencySet_(s)", "is not guarded"),
    ],
)
def test_a_wrong_use_is_found(text, finding):
    findings = source_findings(f"def use():\n    {text}", bridge.GUARDED)
    assert any(finding in each for each in findings), findings


def test_a_guarded_use_is_allowed():
    text = "def use():\n    if bridge.has('setMathMode_'):\n        options.setMathMode_(0)"
    assert source_findings(text, bridge.GUARDED) == []
    outside = text + "\n\ndef other():\n    options.setMathMode_(0)"
    assert len(source_findings(outside, bridge.GUARDED)) == 1


def test_guards_state_the_systems_of_the_sdk():
    assert bridge.OLDEST_SYSTEM == FLOOR
    for name, system in bridge.GUARDED.items():
        if name in table.ENUMERATIONS:
            continue  # the SDK's dump does not say when a constant came
        rows = [row for _, row in table.find_selectors(name)]
        assert rows, f"{name} is not in the table of SDK facts"
        assert {row.introduced[:2] for row in rows} == {system}, name
        assert system > FLOOR, name


# Ownership.


def ownership_findings(owned: Mapping[str, Mapping[int, Any]], sdk: metal_sdk.Sdk) -> Iterator[str]:
    """Where the backend's statement of a selector differs from the framework's own."""
    known = sdk.metadata["NSObject"]
    for selector, arguments in owned.items():
        if selector not in known:
            yield f"{selector} has no metadata"
        elif metal_sdk.plain(arguments) != metal_sdk.plain(known[selector].get("arguments", {})):
            yield f"{selector} has other arguments"
        elif metal_sdk.plain(known[selector]["retval"]) != {"type": b"@"}:
            yield f"{selector} has another result"


def test_the_backend_restates_the_metadata_of_what_it_owns(sdk):
    assert list(ownership_findings(bridge.OWNED, sdk)) == []
    selector = "newLibraryWithSource:options:error:"
    without_output = {**bridge.OWNED[selector], 4: {"type": b"^@"}}
    assert list(ownership_findings({selector: without_output}, sdk)) == [
        f"{selector} has other arguments"
    ]
    assert list(ownership_findings({"newNothing": {}}, sdk)) == ["newNothing has no metadata"]


def test_the_backend_owns_every_object_that_it_makes():
    used = {use.name for path in BACKEND.rglob("*.py") for use in uses(path.read_text())}
    making = {
        row.objective_c
        for name in used
        for _, row in table.find_selectors(name)
        if row.gives_ownership and not row.of_class
    }
    assert making
    assert making <= set(bridge.OWNED)
