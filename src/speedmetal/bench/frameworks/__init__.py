"""The frameworks, a folder each. Importing this package imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points

from speedmetal.bench.frameworks import cupy, drjit, jax, mlx, numpy, speedmetal, torch
from speedmetal.bench.frameworks.base import Framework, load_framework
from speedmetal.errors import UnknownNameError, UserInputError

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        numpy.FRAMEWORK,
        torch.FRAMEWORK,
        mlx.FRAMEWORK,
        jax.FRAMEWORK,
        cupy.FRAMEWORK,
        drjit.FRAMEWORK,
        speedmetal.FRAMEWORK,
    )
}

PLUGIN_GROUP = "speedmetal.frameworks"


def find_framework(name: str) -> Framework:
    """The framework of a name; other packages' frameworks by entry point or ``module:NAME``.

    Raises:
        UnknownNameError: There is none of this name.
        UserInputError: It cannot be loaded, or two go by this name.
    """
    plugins = _plugins()
    if name in FRAMEWORKS:
        return FRAMEWORKS[name]
    if name in plugins:
        return load_framework(plugins[name], name)
    if ":" in name:
        return load_framework(name)
    raise UnknownNameError("framework", name, [*FRAMEWORKS, *plugins])


def framework_names() -> list[str]:
    """Names of all frameworks, other packages' included, in the order of reports.

    Raises:
        UserInputError: Two go by one name.
    """
    return [*FRAMEWORKS, *_plugins()]


def _plugins() -> dict[str, str]:
    """Paths of other packages' frameworks, by the names of their entry points."""
    plugins: dict[str, str] = {}
    for entry in entry_points(group=PLUGIN_GROUP):
        other = _owner(entry.name, plugins)
        if other and plugins.get(entry.name) != entry.value:  # some folders are on the path twice
            package = entry.dist.name if entry.dist else "a package"
            raise UserInputError(
                f"two frameworks are called {entry.name!r}: {other}, and {entry.value} of"
                f" {package}; rename its entry point in {PLUGIN_GROUP!r}, or uninstall {package}"
            )
        plugins[entry.name] = entry.value
    return plugins


def _owner(name: str, plugins: Mapping[str, str]) -> str:
    """Whose a name is already; "" where it is free."""
    return f"speedmetal's own {name}" if name in FRAMEWORKS else plugins.get(name, "")
