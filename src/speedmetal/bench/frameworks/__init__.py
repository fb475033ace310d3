"""The frameworks, a folder each. Importing this package imports none of them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points

from speedmetal.bench.frameworks import jax, mlx, numpy, torch
from speedmetal.bench.frameworks.base import Framework, load_framework
from speedmetal.errors import UnknownNameError

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (numpy.FRAMEWORK, torch.FRAMEWORK, mlx.FRAMEWORK, jax.FRAMEWORK)
}

PLUGIN_GROUP = "speedmetal.frameworks"


def find_framework(name: str) -> Framework:
    """The framework of a name; other packages' frameworks by entry point or ``module:NAME``.

    Raises:
        UnknownNameError: There is none of this name.
        UserInputError: A ``module:NAME`` cannot be loaded.
    """
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    if ":" in name:
        return load_framework(name)
    plugins = {entry.name: entry.value for entry in entry_points(group=PLUGIN_GROUP)}
    if name in plugins:
        return load_framework(plugins[name])
    raise UnknownNameError("framework", name, known_frameworks(plugins))


def known_frameworks(plugins: Iterable[str] = ()) -> list[str]:
    """Names of all frameworks, in the order in which reports show them."""
    return [*FRAMEWORKS, *plugins]
