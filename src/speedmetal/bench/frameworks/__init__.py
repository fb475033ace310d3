"""The frameworks, a folder each. Importing this package imports none of them."""

from __future__ import annotations

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
    plugins = _plugins()
    if name in plugins:
        return load_framework(plugins[name])
    raise UnknownNameError("framework", name, [*FRAMEWORKS, *plugins])


def framework_names() -> list[str]:
    """Names of all frameworks, other packages' included, in the order of reports."""
    return [*FRAMEWORKS, *_plugins()]


def _plugins() -> dict[str, str]:
    return {entry.name: entry.value for entry in entry_points(group=PLUGIN_GROUP)}
