"""The templates and the own files of HTML pages, in the folder ``page``."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

_PAGE = Path(__file__).with_name("page")


def template(name: str) -> jinja2.Template:
    """A page's template: what it is given is escaped, and a name that it is not given fails."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FileSystemLoader(_PAGE),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def own_text(name: str) -> Markup:
    """A style sheet or script that goes into a page as it is."""
    return Markup((_PAGE / name).read_text("utf-8"))  # noqa: S704 - a file of this package
