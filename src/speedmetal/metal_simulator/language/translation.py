"""From preprocessed Metal Shading Language to C++ that a plain clang knows.

Tokens are changed where they stand, so that the compiler's messages point into the user's text.
What is not understood is an error here, never left to chance: a declaration of threadgroup memory
that stayed as it is would silently become memory of each thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from speedmetal.metal_simulator.language import loops, operators, spaces, threadgroup
from speedmetal.metal_simulator.language.conditions import Conditions
from speedmetal.metal_simulator.language.constants import (
    FunctionConstant,
    constant_text,
    read_constants,
)
from speedmetal.metal_simulator.language.deduction import retype_sizes
from speedmetal.metal_simulator.language.omissions import omissions, stage_of
from speedmetal.metal_simulator.language.positions import EXPRESSIONS
from speedmetal.metal_simulator.language.reach import Reach
from speedmetal.metal_simulator.language.rewriting import Rewriter, Rewritten
from speedmetal.metal_simulator.language.words import Reading, Words
from speedmetal.msl.kernels import KernelReader, Signature
from speedmetal.msl.structure import (
    Attribute,
    Declaration,
    Sort,
    declarations,
    is_attribute,
    split_arguments,
)
from speedmetal.msl.tokens import Kind, Tokens

ENTRY = "smr_entry_{}"
FACTS = "smr_facts_{}"
MAXIMUM_SITE = 0xFFFFFFFF
"""In the table of threadgroup memory: the row of max_total_threads_per_threadgroup."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A function that can be launched.

    Args:
        number: The number in the names of its symbols.
        name: The name by which the host asks for it.
        declaration: The kernel.
        parameters: The parameters that it gets.
        places: The place of each in the kernel's signature, from 0.
        signature_length: How many are in the signature.
        constants: Function constants that it may use.
        missing: Those of them without a value, though they need one; then it has no code.
        uses_fibers: Whether its threads may wait for each other.
        omission: Why the simulator leaves it out; empty: it does not.
        stage: ``kernel``, or the stage of graphics that a function left out is of.
    """

    number: int
    name: str
    declaration: Declaration
    parameters: tuple[Signature, ...]
    places: tuple[int, ...]
    signature_length: int
    constants: tuple[FunctionConstant, ...]
    missing: tuple[FunctionConstant, ...]
    uses_fibers: bool
    omission: str = ""
    stage: str = "kernel"


@dataclass(frozen=True, slots=True)
class Translation:
    """C++ text with the entries of its kernels.

    Args:
        rewritten: The text.
        entries: Of what the host may ask for.
        constants: All function constants.
        arrays: Declarations of threadgroup memory.
        omitted: Functions that are not in the C++ text, each with the reason.
    """

    rewritten: Rewritten
    entries: tuple[Entry, ...]
    constants: tuple[FunctionConstant, ...]
    arrays: tuple[threadgroup.Array, ...]
    omitted: tuple[tuple[Declaration, str], ...]


def translate(
    tokens: Tokens,
    reading: Reading,
    *,
    constants: Mapping[int | str, object],
    functions: frozenset[str] | None = None,
) -> Translation:
    """Translate a text.

    Args:
        tokens: Of the preprocessed text.
        reading: Whether it is to be run or checked.
        constants: Values of function constants, by index or name.
        functions: The functions that are needed; None: all.

    Raises:
        MslError: The text is not valid, or the simulator does not know what it uses.
    """
    return _Translator(tokens, reading, constants).run(functions)


class _Translator:
    def __init__(
        self, tokens: Tokens, reading: Reading, values: Mapping[int | str, object]
    ) -> None:
        self.tokens = tokens
        self.reading = reading
        self.values = values
        self.rewriter = Rewriter(tokens)
        self.every = declarations(tokens)
        self.reasons = omissions(tokens, self.every)
        self.declarations = [d for d in self.every if d.begin not in self.reasons]
        self.kernels = [d for d in self.declarations if d.is_kernel]
        self.templates: dict[str, list[Declaration]] = {}
        for kernel in filter(self._is_asked_for, self.every):
            if kernel.template is not None and kernel.template[0] < kernel.template[1]:
                self.templates.setdefault(kernel.name, []).append(kernel)
        self.reader = KernelReader(tokens)
        self.arrays: list[threadgroup.Array] = []  # of threadgroup memory, by number
        self.numbers: dict[int, int] = {}  # a kernel's first token -> its number

    def run(self, functions: frozenset[str] | None) -> Translation:
        if self.reading is Reading.SIMULATED:
            operators.guard_operators(self.tokens, self.rewriter)
        constants = read_constants(self.tokens, self.declarations, self.values)
        for constant in constants.values():
            self._constant(constant)
        launchable = self._launchable()
        signatures = {d.begin: self.reader.signature(d) for d in self.kernels}
        self.reader.finish()
        reach = Reach(self.tokens, self.declarations)
        conditions = Conditions(self.tokens, self.declarations, constants)
        entries = []
        for number, (name, declaration, instantiation) in enumerate(launchable):
            if functions is not None and name not in functions:
                continue
            omission = self._omission(declaration, instantiation)
            if omission:
                empty = (number, name, declaration, (), (), 0, (), (), False)
                stage = stage_of(self.tokens, declaration) or "kernel"
                entries.append(Entry(*empty, f"{name} {omission}", stage))
                continue
            reached = reach.words(declaration, instantiation)
            used = tuple(c for c in constants.values() if c.name in reached)
            missing = tuple(c for c in used if c.is_required and not c.is_given)
            found = signatures[declaration.begin]
            places = tuple(i for i, p in enumerate(found) if conditions.holds(p.condition))
            entry = Entry(
                number,
                name,
                declaration,
                tuple(found[i] for i in places),
                places,
                len(found),
                used,
                missing,
                reach.waits(reached),
            )
            entries.append(entry)
            self.numbers.setdefault(declaration.begin, number)
            if self.reading is Reading.SIMULATED and not missing:
                self._trampoline(entry, found, instantiation)
        self._bodies()
        if self.reading is Reading.SIMULATED:
            loops.count_turns(self.tokens, self.rewriter, self.declarations, reach)
        retype_sizes(self.tokens, self.rewriter, self.declarations)
        Words(self.tokens, self.rewriter, self.reading, self.declarations).rewrite(constants)
        if self.reading is Reading.SIMULATED:
            self.rewriter.append("SMR_TABLE", 0)
        omitted = self._leave_out()
        rewritten = self.rewriter.render()
        arrays = tuple(self.arrays)
        return Translation(rewritten, tuple(entries), tuple(constants.values()), arrays, omitted)

    def _omission(self, declaration: Declaration, instantiation: Declaration | None) -> str:
        """Why a function that the host may ask for is left out; empty: it is not."""
        reason = self.reasons.get(declaration.begin, "")
        if not reason and instantiation is not None:
            reason = self.reasons.get(instantiation.begin, "")
        return reason

    def _leave_out(self) -> tuple[tuple[Declaration, str], ...]:
        """Take what the simulator does not run out of the text; its functions."""
        omitted = [(d, self.reasons[d.begin]) for d in self.every if d.begin in self.reasons]
        for declaration, _ in omitted:
            self.rewriter.leave_out(declaration.begin, declaration.end)
        return tuple((d, reason) for d, reason in omitted if d.sort is Sort.FUNCTION)

    # --- Kernels -------------------------------------------------------------------------------

    def _launchable(self) -> list[tuple[str, Declaration, Declaration | None]]:
        """Name, kernel and instantiation of all that the host may ask for."""
        found: list[tuple[str, Declaration, Declaration | None]] = []
        seen: set[str] = set()
        for declaration in self.every:
            kernel: Declaration | None = None
            instantiation = None
            name = declaration.name
            if (
                self._is_asked_for(declaration)
                and declaration.body
                and declaration.template is None
            ):
                kernel = declaration
            elif declaration.sort is Sort.INSTANTIATION:
                instantiation = declaration
                target = self._target(declaration)
                if target is None:
                    kernel = self._deduce_template(declaration)
                else:
                    kernel = self._template(*target)
                    name = self.tokens.source(*target[1:])
            if host := declaration.attribute("host_name"):
                name = _text_of(self.tokens, host)
                if kernel is None:
                    self.reader.fault(
                        declaration.begin, f"there is no kernel template for host_name {name!r}"
                    )
            if kernel is None:
                continue
            if name in seen:
                self.reader.fault(declaration.begin, f"there are two functions of the name {name}")
            seen.add(name)
            found.append((name, kernel, instantiation))
        return found

    def _is_asked_for(self, declaration: Declaration) -> bool:
        """Whether the host may ask for a function, or for instances of it."""
        return declaration.is_kernel or bool(stage_of(self.tokens, declaration))

    def _is_template(self, kernel: Declaration) -> bool:
        return kernel in self.templates.get(kernel.name, ())

    def _template(self, name: str, begin: int, end: int) -> Declaration | None:
        """The kernel template that takes the arguments of ``name<arguments>``."""
        given = len(split_arguments(self.tokens, begin + 2, end - 1))
        fitting = []
        for kernel in self.templates.get(name, ()):
            assert kernel.template is not None
            parameters = split_arguments(self.tokens, *kernel.template)
            texts = [self.tokens.words[first:last] for first, last in parameters]
            optional = sum("=" in words or "..." in words for words in texts)
            is_open = any("..." in words for words in texts)
            if len(texts) - optional <= given and (given <= len(texts) or is_open):
                fitting.append(kernel)
        if len(fitting) > 1:
            self.reader.fault(
                begin,
                f"the simulator cannot tell which template {name} is meant; give them names of "
                "their own",
            )
        return fitting[0] if fitting else None

    def _deduce_template(self, declaration: Declaration) -> Declaration | None:
        """The kernel template of an instantiation that states parameters, but no arguments."""
        parameters = self._stated_parameters(declaration)
        if parameters is None:
            return None
        kernels = self.templates.get(self.tokens.word(parameters[0] - 1), [])
        return kernels[0] if len(kernels) == 1 else None

    def _stated_parameters(self, declaration: Declaration) -> tuple[int, int] | None:
        """The parentheses around the parameters that an explicit instantiation states."""
        end = declaration.end - 2
        while end > declaration.begin and self.tokens.word(end) == "]":
            end = self.tokens.partner[end] - 1
        return (self.tokens.partner[end], end) if self.tokens.word(end) == ")" else None

    def _target(self, declaration: Declaration) -> tuple[str, int, int] | None:
        """Name, begin and end of ``name<arguments>`` in an explicit instantiation."""
        tokens = self.tokens
        end = declaration.end - 2  # before the semicolon
        while end > declaration.begin and tokens.word(end) == "]":
            end = tokens.partner[end] - 1
        if tokens.word(end) == ")":
            end = tokens.partner[end] - 1
        for index in range(declaration.head, end):
            follows = tokens.word(index + 1) == "<" and tokens.is_name(index)
            if follows and tokens.angle_partner(index + 1) == end:
                return tokens.words[index], index, end + 1
        return None

    def _trampoline(
        self, entry: Entry, signatures: tuple[Signature, ...], instantiation: Declaration | None
    ) -> None:
        """The function that the runtime calls: it hands a thread's values to the kernel."""
        declaration = entry.declaration
        target = "::" + declaration.qualified_name
        if instantiation is not None:
            found = self._target(instantiation)
            if found is None:
                parameters = self._stated_parameters(instantiation)
                assert parameters is not None
                types = ", ".join(self.reader.types(*parameters))
                target = f"(static_cast<void (*)({types})>(&{target}<{entry.number}>))"
            else:
                arguments = self.tokens.source(found[1] + 2, found[2] - 1)
                target += f"<{entry.number}{', ' if arguments.strip() else ''}{arguments}>"
        origin = instantiation.begin if instantiation else declaration.name_index
        put = self.rewriter.append
        number = entry.number
        put(
            f'extern "C" SMR_EXPORT void {ENTRY.format(number)}(const smr_thread* smr_of) {{',
            origin,
        )
        put(f"  {target}(", origin)
        for index, parameter in enumerate(signatures):
            comma = "," if index + 1 < len(signatures) else ""
            put(f"    {_argument(parameter)}{comma}", parameter.place)
        put("  ); }", origin)
        facts = f"smr::facts_of<decltype({target})>"
        put(f'extern "C" SMR_EXPORT const {facts} {FACTS.format(number)} = {{}};', origin)

    def _bodies(self) -> None:
        """Kernels become plain functions, their threadgroup variables the runtime's memory."""
        omitted = (d for d in self.every if d.begin in self.reasons)
        handled = {index for d in omitted for index in range(d.begin, d.end)}
        site = 0
        for declaration in self.kernels:
            entry = str(self.numbers.get(declaration.begin, 0))
            if self._is_template(declaration):
                entry = "smr_entry"
                if self.reading is Reading.SIMULATED:
                    self._numbered_template(declaration)
            self._kernel_head(declaration)
            if declaration.body is None:
                continue
            begin, end = declaration.body
            writer = threadgroup.Variables(
                self.tokens, self.rewriter, entry, self.reading.value, site
            )
            handled |= writer.rewrite(begin + 1, end)
            site = writer.next_site
            self.arrays += writer.arrays
            if self.reading is Reading.SIMULATED:
                self._maximum(declaration, entry)
        threadgroup.check_all(self.tokens, handled, self.declarations)
        for declaration in self.declarations:
            if declaration.sort is Sort.INSTANTIATION:
                self._instantiation(declaration)
        if self.reading is Reading.SIMULATED:
            if self.templates:
                self._numbered_uses()
            spaces.erase(self.tokens, self.rewriter, self.declarations)
        else:
            spaces.free_members(self.tokens, self.rewriter, self.declarations)
            spaces.refer_to_functions(self.tokens, self.rewriter, self.declarations)
            self._drop_definitions()

    def _maximum(self, declaration: Declaration, entry: str) -> None:
        """The stated limit of threads, which only the compiler can compute, goes into the table."""
        limit = declaration.attribute("max_total_threads_per_threadgroup")
        if limit is None or limit.arguments is None or declaration.body is None:
            return
        value = f"(unsigned long)({self.tokens.source(*limit.arguments)})"
        row = threadgroup.record(entry, MAXIMUM_SITE, value, "1")
        self.rewriter.insert_after(declaration.body[0], f" {row}")

    def _drop_definitions(self) -> None:
        """Definitions of types' constants, which have their values inside the types."""
        for declaration in self.declarations:
            is_variable = declaration.sort is Sort.VARIABLE
            if is_variable and self.tokens.word(declaration.name_index - 1) == "::":
                self.rewriter.drop(declaration.begin, declaration.end)

    def _kernel_head(self, declaration: Declaration) -> None:
        tokens = self.tokens
        assert declaration.parameters is not None
        for index in range(declaration.head, declaration.name_index):
            if tokens.words[index] in ("kernel", "static", "inline"):
                self.rewriter.replace(index, "")
        if tokens.words[declaration.begin] == "extern":
            self.rewriter.drop(declaration.begin, declaration.head)
        stop = declaration.body[0] if declaration.body else declaration.end
        self._drop_attributes(declaration.head, stop)
        if declaration.template is None or self._is_template(declaration):
            self.rewriter.insert_before(declaration.head, "static inline ")

    def _numbered_template(self, declaration: Declaration) -> None:
        """The number of the instance is a template parameter, for its table of memory."""
        assert declaration.template is not None
        self.rewriter.insert_before(declaration.template[0], "int smr_entry, ")

    def _numbered_uses(self) -> None:
        """Other uses of kernel templates, as in ``decltype(name<float>)``."""
        tokens = self.tokens
        heads = {kernel.name_index for kernels in self.templates.values() for kernel in kernels}
        for index, word in enumerate(tokens.words):
            is_use = word in self.templates and tokens.word(index + 1) == "<"
            if is_use and index not in heads and not self.rewriter.is_dropped(index):
                self.rewriter.insert_after(index + 1, "0, ")

    def _instantiation(self, declaration: Declaration) -> None:
        target = self._target(declaration)
        is_ours = (
            target[0] in self.templates
            if target
            else self._deduce_template(declaration) is not None
        )
        if not is_ours:
            return
        if self.reading is Reading.SIMULATED:
            self.rewriter.drop(declaration.begin, declaration.end)
            return
        self._drop_attributes(declaration.begin, declaration.end)
        for index in range(declaration.begin, declaration.end):
            if self.tokens.words[index] == "kernel":
                self.rewriter.replace(index, "")

    def _drop_attributes(self, begin: int, end: int) -> None:
        index = begin
        while index < end:
            if is_attribute(self.tokens, index):
                close = self.tokens.partner[index]
                self.rewriter.drop(index, close + 1)
                index = close
            index += 1

    # --- Function constants ----------------------------------------------------------------------

    def _constant(self, constant: FunctionConstant) -> None:
        declaration = constant.declaration
        self._drop_attributes(declaration.begin, declaration.end)
        self.rewriter.insert_after(declaration.end - 2, f" = {constant_text(constant)}")


def _argument(parameter: Signature) -> str:
    if parameter.role == "position":
        return EXPRESSIONS[parameter.position]
    if parameter.role in ("texture", "sampler"):
        return f"smr::bound_{parameter.role}{{smr_of, {parameter.index}}}"
    kind = "buffer" if parameter.role == "buffer" else "threadgroup"
    return f"smr::address{{smr::{kind}_address(smr_of, {parameter.index})}}"


def _text_of(tokens: Tokens, attribute: Attribute) -> str:
    """The string, or the strings side by side, in an attribute's parentheses."""
    if attribute.arguments is None:
        return ""
    begin, end = attribute.arguments
    return "".join(t.text[1:-1] for t in tokens.list[begin:end] if t.kind is Kind.TEXT)
