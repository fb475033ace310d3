"""The compiler's messages, at places of the user's text and in Metal's words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from speedmetal.metal_simulator.language.preprocess import Preprocessed
from speedmetal.metal_simulator.language.rewriting import Rewritten
from speedmetal.msl.diagnostics import NAME, MslDiagnostic, Severity

_UNKNOWN = {
    "textures": r"(depth|texture)(1d|2d|3d|cube|_buffer)\w*|texture",
    "samplers": r"sampler\w*|coord|filter|address|compare_func",
    "printf": r"printf",
    "ray tracing": (
        r"raytracing|intersector|ray|intersection_\w+|acceleration_structure\w*|primitive_\w+|"
        r"instance_\w+"
    ),
    "tensors": r"tensor\w*|mpp|matmul2d\w*|execution_\w+|dextents|extents|tensor_\w+",
    "function tables": r"visible_function_table|intersection_function_table",
    "mesh and tile shaders": r"mesh|object_data|imageblock\w*|threadgroup_imageblock",
    "command buffers of the GPU": r"command_buffer|compute_command|render_command",
}
_NO_DECLARATION = re.compile(
    r"(?:unknown type name|use of undeclared identifier|no template named|no type named|"
    r"no member named) '([\w:]+)'"
)

# What the compiler calls it -> what Metal calls it.
_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"\b(\w+) ((?:const )?(?:__\w+ )?)__attribute__\(\(ext_vector_type\((\d)\)\)\)",
        r"\2\1\3",
    ),
    (r"\b(?:smr::)?smr_(?:operand|assigned)<([^<>]*)>", r"\1"),
    (r"__attribute__\(\(address_space\(\d+\)\)\) ?", ""),
    (r"'__(private|generic)'", "'thread'"),
    (r"__global\b", "device"),
    (r"__local\b", "threadgroup"),
    (r"__constant\b", "constant"),
    (r"__private\b", "thread"),
    (r"__generic\b", "thread"),
    (r"(?:metal::)?vec<(\w+), \(int\)sizeof\.\.\.\(I\)>", r"vector of \1"),
    (r"(?:metal::)?packed_vec<(\w+), (\d)>", r"packed_\1\2"),
    (r"(?:metal::)?vec<(\w+), (\d)>", r"\1\2"),
    (r"(?:smr::)?truth<(\d)>", r"bool\1"),
    (r"\(vector of (\d) '(\w+)' values\)", r"(\2\1)"),
    (r"\b_Float16([234]?)\b", r"half\1"),
    (r"\b__bf16([234]?)\b", r"bfloat\1"),
    (r"\bsmr_atomic_(\w+)", r"atomic_\1"),
    (r"\bsmr_name_(\w+)", r"\1"),
    (r"\bunsigned char\b", "uchar"),
    (r"\bunsigned short\b", "ushort"),
    (r"\bunsigned int\b", "uint"),
    (r"\bunsigned long\b", "ulong"),
    (r"'([^']+)' \(aka '\1'\)", r"'\1'"),
    (r"\bOpenCL C\+\+|C\+\+ for OpenCL|OpenCL\b", "Metal"),
)
_SPECIALISED = (
    "the simulator does not know explicit specialisations of kernel templates; instantiate them "
    "with [[host_name(...)]]"
)
_OWN_WORDS: tuple[tuple[str, str], ...] = (
    (
        r"\b(\w+) ((?:const )?(?:__\w+ )?)__attribute__\(\(ext_vector_type\((\d)\)\)\)",
        r"\2\1\3",
    ),
    (
        r"no viable conversion from 'smr::(?:number|position)' to '([^']*)'.*",
        r"a position cannot be of the type '\1'; declare it as uint, ushort or a vector of them",
    ),
    (
        r"cannot assign to variable '(\w+)' with const-qualified type '.*'",
        r"read-only variable is not assignable: \1 is const or in constant memory",
    ),
    (
        r".*static assertion failed.*: (.*)",
        r"\1",
    ),
    (
        r".*no member named 'smr_(?:get|at)' in '(.*)'",
        r"'\1' has no components to choose: swizzles are of vectors",
    ),
    (
        r".*explicit specialization of.*smr_entry.*",
        _SPECIALISED,
    ),
)


_TEXT = "<stdin>"
_Message = tuple[str, int, int, str, str]  # file, line, column, kind, message


def with_lines(rewritten: Rewritten, text: Preprocessed) -> str:
    """The changed text with lines numbered as the user's: for the places that the runtime tells."""
    parts = []
    expected = 0
    for number, line in enumerate(rewritten.text.split("\n"), 1):
        stands, _ = text.place(*rewritten.place(number, 1)) if line else (expected, 0)
        if stands != expected:
            parts.append(f'#line {stands} "{NAME}"\n')
        parts.append(f"{line}\n")
        expected = stands + 1
    return "".join(parts)


def read_messages(messages: str, rewritten: Rewritten, text: Preprocessed) -> list[MslDiagnostic]:
    """The messages about the user's text.

    An error inside the library, of a function that the text called wrongly, is told at the call.
    """
    return _place_messages(list(_messages(messages)), messages, rewritten, text)


def read_checked_messages(
    messages: str, rewritten: Rewritten, text: Preprocessed
) -> list[MslDiagnostic]:
    """The messages of the checked reading, without those about what Metal allows."""
    return _place_messages(list(_without_limits(_messages(messages))), messages, rewritten, text)


def _place_messages(
    every: list[_Message], messages: str, rewritten: Rewritten, text: Preprocessed
) -> list[MslDiagnostic]:
    found: dict[MslDiagnostic, None] = {}  # each once
    for line, column, kind, message in _at_the_text(every):
        severity: Severity = "warning" if kind == "warning" else "error"
        place = text.place(*rewritten.place(line, column))
        found[MslDiagnostic(*place, severity, in_words(message))] = None
    if not any(d.severity == "error" for d in found) and (
        error := _error_elsewhere(every, messages)
    ):
        found[error] = None
    return sorted(found, key=lambda d: (d.line, d.column))


def _at_the_text(every: list[_Message]) -> Iterable[tuple[int, int, str, str]]:
    """Line, column, kind and message of what is at the text, or comes from it."""
    inner = ""
    for file, line, column, kind, message in every:
        if file != _TEXT:
            inner = message if kind == "error" else inner
        elif kind != "note":
            inner = "" if kind == "error" else inner
            yield line, column, kind, message
        elif inner:
            yield line, column, "error", inner
            inner = ""


def _error_elsewhere(every: list[_Message], messages: str) -> MslDiagnostic | None:
    """An error that has no place in the user's text; it is shown at the text's beginning."""
    for file, _, _, kind, message in every:
        if kind == "error" and file and file != _TEXT:
            return MslDiagnostic(1, 1, "error", in_words(message))
    for line in messages.splitlines():
        if line.startswith(("error: ", "fatal error: ")):
            return MslDiagnostic(1, 1, "error", line)
    return None


def make_unplaced_fault(messages: str) -> MslDiagnostic:
    """A fault of which only the compiler's words are known."""
    error = re.search(r"^(.*?)(?:fatal )?error: (.*)$", messages, re.MULTILINE)
    return MslDiagnostic(1, 1, "error", in_words(error[2]) if error else messages.strip())


_MESSAGE = re.compile(r"^(.*?):(\d+):(\d+): (?:fatal )?(error|warning|note): (.*)$", re.MULTILINE)


def _messages(messages: str) -> Iterable[_Message]:
    for file, line, column, kind, message in _MESSAGE.findall(messages):
        yield file, int(line), int(column), kind, message


# The checking language refuses these, Metal does not: copies out of constant memory by a type's own
# means, values bound to `const thread T&`, strings, braces as arguments of templates.
_LIMITS_IN_NOTES = re.compile(
    r"\(the implicit (?:copy|move) (?:constructor|assignment operator)\) not viable: cannot bind "
    r"reference in address space '__constant'"
    r"|cannot bind reference in default address space to object in address space '__private'"
    r"|no known conversion from 'const __constant char\["
    r"|cannot convert initializer list argument to"
    r"|invalid explicitly-specified argument for template parameter"
    # A member without an address space is of any there, of thread memory in Metal.
    r"|'this' object is in address space '__generic'|could not match '.*' against '__generic "
)
_LIMITS = re.compile(
    r"reference of type 'const __private .*' cannot bind to a temporary object because of address "
    r"space|(?:static_cast|cast) from '.*(?:bfloat|__bf16).* is not allowed"
    r"|scalar operand type has greater rank than the type of the vector element"
    r"|from vector .* to vector .* of different size"
    r"|too few elements in vector initialization|excess elements in scalar initializer"
    r"|conditional expression is ambiguous; '(?:const )?(?:__\w+ )?(?P<either>[^']*)' and "
    r"'(?:const )?(?:__\w+ )?(?P=either)'"
    r"|incompatible operand types \('(?:const )?(?:__\w+ )?(?P<type>[^']*)'[^']*(?:'[^']*'\))? and "
    r"'(?:const )?(?:__\w+ )?(?P=type)'"
)


def _without_limits(messages: Iterable[_Message]) -> Iterable[_Message]:
    """The messages, without errors that are of the checking language alone."""
    group: list[_Message] = []
    for message in (*messages, ("", 0, 0, "error", "")):
        if message[3] == "note":
            group.append(message)
            continue
        notes = group[1:]
        is_limit = bool(group) and _LIMITS.search(group[0][4]) is not None
        if not is_limit and not any(_LIMITS_IN_NOTES.search(note[4]) for note in notes):
            yield from group
        group = [message]


def in_words(message: str) -> str:
    """A message without what only the compiler knows, and with advice where there is some."""
    unknown = _NO_DECLARATION.search(message)
    if unknown:
        name = unknown[1].rsplit("::", 1)[-1]
        for what, pattern in _UNKNOWN.items():
            if re.fullmatch(pattern, name):
                return f"the simulator does not know {what} ({name})"
    for pattern, replacement in _OWN_WORDS:
        message = re.sub(pattern, replacement, message)
    for pattern, replacement in _WORDS:
        message = re.sub(pattern, replacement, message)
    return message
