"""LLVM text to machine code of this computer, and machine code to addresses that can be called.

llvmlite is imported when something is compiled, because it takes longer to load than all of
speedmetal. Where an object can be linked here, code is kept and loaded as an image
(:mod:`speedmetal.backends.cpu.image`), which does without it: on Linux and x86-64. Elsewhere one
linker (LLVM's ORC) serves the whole process: an object joins it in 0.2 ms, where an engine of its
own (MCJIT) took 0.8 ms.
"""

from __future__ import annotations

import enum
import functools
import itertools
import os
from typing import TYPE_CHECKING

from speedmetal.backends.cpu.codegen.vector_unit import VectorUnit, unit_for
from speedmetal.backends.cpu.image import CAN_MAP, MappedImage, is_image, unpack_image
from speedmetal.common.records import record
from speedmetal.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llvmlite.binding.module import ModuleRef
    from llvmlite.binding.newpassmanagers import PassBuilder
    from llvmlite.binding.orcjit import LLJIT, ResourceTracker
    from llvmlite.binding.targets import TargetMachine

ENTRY_SYMBOL = "sm_entry"
"""Name of a compiled kernel's entry: ``void sm_entry(ptr args, i64 begin, i64 end)``."""

PIPELINE_VERSION = 1
"""Counts the changes of the pipelines below, so that objects made by older ones are not reused."""


LARGE_TEXT_CHARACTERS = 250_000
"""Length of a module, about 800 statements, from which `Effort.NORMAL` does what SHORT does.

Measured on modules of explicit SIMD with branches and loops, Zen 4: the passes of NORMAL take 16 ms
for 100 statements and 180 ms for 1,000, but 1,640 ms for 4,000; those of SHORT take 27 us a
statement throughout. What NORMAL adds (code moved out of loops, values shared between branches)
matters in the short loops of small kernels.
"""


CPU_VARIABLE = "SPEEDMETAL_CPU"
"""Environment variable: the processor that code is made for, a key of the table below."""

_FEATURES = {
    "x86-64": "",
    "x86-64-v3": "+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt",
    "x86-64-v4": "+avx512f",
}


class Effort(enum.IntEnum):
    """How much of LLVM's optimiser a module passes through."""

    SHORT = 1
    """Variables into registers, local simplification; loops stay as printed."""
    NORMAL = 2
    """And common subexpressions, loop-invariant code, dead code: LLVM's O1 for a function.

    A long module gets SHORT: see `LARGE_TEXT_CHARACTERS`.
    """
    FULL = 3
    """LLVM's O2 for a module, without vectorisers and unrolling."""


@record
class _Host:
    """What describes this computer to LLVM; ``machine`` also generates the code."""

    triple: str
    cpu: str
    features: str
    machine: TargetMachine


def compile_object(llvm_text: str, *, effort: int = Effort.NORMAL) -> bytes:
    """Compiles a module for this computer.

    Args:
        llvm_text: The module as LLVM assembly.
        effort: An `Effort`.

    Returns:
        A relocatable object (ELF on Linux, Mach-O on macOS) whose code may lie anywhere in memory.

    Raises:
        InternalError: LLVM does not accept the text; the message has LLVM's words and the line.

    Example:
        >>> text = "define i32 @answer() { ret i32 42 }"
        >>> len(compile_object(text)) > 100
        True
    """
    return bytes(_host().machine.emit_object(_optimise_module(llvm_text, effort)))


def assembly(llvm_text: str, *, effort: int = Effort.NORMAL) -> str:
    """The assembly language of what `compile_object` makes.

    Args:
        llvm_text: The module as LLVM assembly.
        effort: An `Effort`.

    Raises:
        InternalError: LLVM does not accept the text.

    Example:
        >>> "answer:" in assembly("define i32 @answer() { ret i32 42 }")
        True
    """
    return str(_host().machine.emit_assembly(_optimise_module(llvm_text, effort)))


def optimised_text(llvm_text: str, *, effort: int = Effort.NORMAL) -> str:
    """The module as LLVM assembly, after the optimiser and before code generation.

    Args:
        llvm_text: The module as LLVM assembly.
        effort: An `Effort`.

    Raises:
        InternalError: LLVM does not accept the text.

    Example:
        >>> text = "define i32 @f() { %v = alloca i32 store i32 7, ptr %v " + (
        ...     "%r = load i32, ptr %v ret i32 %r }")
        >>> "ret i32 7" in optimised_text(text)
        True
    """
    return str(_optimise_module(llvm_text, effort))


@functools.cache
def vector_unit() -> VectorUnit:
    """How code is written for this computer's processor."""
    return unit_for({f[1:] for f in _host().features.split(",") if f.startswith("+")})


class LoadedObject:
    """Code in memory, ready to be called; it is unloaded with the last reference.

    Whoever keeps an address of it **must** keep the LoadedObject as well.
    """

    __slots__ = ("_addresses", "_owner")

    def __init__(self, owner: ResourceTracker | MappedImage, addresses: dict[str, int]) -> None:
        self._owner = owner
        self._addresses = addresses

    def address(self, symbol: str) -> int:
        """The address of a symbol that was named when the object was loaded."""
        return self._addresses[symbol]


def prepare_for_loading(object_bytes: bytes) -> bytes:
    """What is loaded fastest here of an object: its image, or itself where it is not linked.

    Args:
        object_bytes: What `compile_object` returned, on this computer.
    """
    if not CAN_MAP:
        return object_bytes
    from speedmetal.backends.cpu.linker import UnknownObjectError, link  # not where code is loaded

    try:
        return link(object_bytes).pack()
    except UnknownObjectError:
        return object_bytes


def load(code: bytes, *symbols: str) -> LoadedObject:
    """Puts code into memory and links it with this process (libm, libc, pthreads).

    Args:
        code: What `compile_object` or `loadable` returned, on this computer. LLVM is loaded for an
            object, and not for an image.
        symbols: What to find in it; `ENTRY_SYMBOL` where none is named.

    Raises:
        InternalError: The code is damaged, lacks a symbol or needs one that nobody has.

    Example:
        >>> import ctypes
        >>> made = compile_object("define i32 @answer() { ret i32 42 }")
        >>> code = load(prepare_for_loading(made), "answer")
        >>> ctypes.CFUNCTYPE(ctypes.c_int)(code.address("answer"))()
        42
    """
    names = symbols or (ENTRY_SYMBOL,)
    if is_image(code):
        mapped = MappedImage(unpack_image(code))
        return LoadedObject(mapped, {name: mapped.address(name) for name in names})
    from llvmlite import binding

    builder = binding.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name in names:
        builder.export_symbol(name)
    try:
        tracker = builder.link(_linker(), f"speedmetal{next(_library_numbers)}")
    except RuntimeError as error:
        raise InternalError(f"cpu link: {error}") from error
    return LoadedObject(tracker, {name: tracker[name] for name in names})


_library_numbers: Iterator[int] = itertools.count()


def _optimise_module(llvm_text: str, effort: int) -> ModuleRef:
    """Parses, verifies and optimises, in a context of its own, which dies with the module."""
    from llvmlite import binding

    if effort == Effort.NORMAL and len(llvm_text) > LARGE_TEXT_CHARACTERS:
        effort = Effort.SHORT
    builder = _pass_builder(effort)
    try:
        module = binding.parse_assembly(llvm_text, binding.create_context())
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"cpu build: LLVM refuses the printed module: {error}") from error
    if effort == Effort.FULL:
        builder.getModulePassManager().run(module, builder)
        return module
    _run_inliner(module, builder, simplify=effort == Effort.SHORT)
    if effort == Effort.NORMAL:
        for function in module.functions:
            if not function.is_declaration:
                # A pipeline is used up by its run.
                builder.getFunctionPassManager().run(function, builder)
    return module


def _run_inliner(module: ModuleRef, builder: PassBuilder, *, simplify: bool) -> None:
    """Inlines what is marked ``alwaysinline`` and drops what nobody calls; may simplify too.

    NewGVN, the one pass of llvmlite's list that would remove repeated loads, stays out: in LLVM 22
    it stops the process with a failed assertion on functions of some thousand instructions.
    """
    from llvmlite import binding

    passes = binding.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_global_dead_code_eliminate_pass()
    if simplify:
        passes.add_sroa_pass()
        passes.add_simplify_cfg_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.run(module, builder)


@functools.cache
def _pass_builder(effort: int) -> PassBuilder:
    from llvmlite import binding

    options = binding.create_pipeline_tuning_options(speed_level=max(1, effort - 1))
    # The printed code is explicit SIMD: vectorisers find nothing and take their time for it.
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_interleaving = False
    options.loop_unrolling = False
    return binding.create_pass_builder(_host().machine, options)


@functools.cache
def _host() -> _Host:
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    # Another processor's code can be made, to look at, or to run where this one can.
    stated = os.environ.get(CPU_VARIABLE)
    cpu = stated or binding.get_host_cpu_name()
    features = _FEATURES[stated] if stated else binding.get_host_cpu_features().flatten()
    target = binding.Target.from_default_triple()
    # The linker makes stubs and tables for what lies far away, so small code may lie anywhere.
    machine = target.create_target_machine(
        cpu=cpu, features=features, opt=2, reloc="pic", codemodel="small"
    )
    return _Host(binding.get_default_triple(), cpu, features, machine)


@functools.cache
def _linker() -> LLJIT:
    from llvmlite import binding

    host = _host()
    target = binding.Target.from_triple(host.triple)
    # The linker takes the machine over, hence one of its own.
    machine = target.create_target_machine(
        cpu=host.cpu, features=host.features, opt=2, reloc="pic", codemodel="small"
    )
    return binding.create_lljit_compiler(machine, use_jit_link=True, suppress_errors=True)
