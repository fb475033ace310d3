"""A hook of MkDocs: links of the pages to files beside docs/ stay true on the site.

On the forge ``../examples/matmul.py`` is a link; the site has pages alone, so there such a link is
its text. A path that is no file fails the strict build, as every other broken link does.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#]+)(?:#[^)]*)?\)")
_LOG = logging.getLogger("mkdocs.hooks.docs_links")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page with links out of the folder of pages as plain text."""
    docs = Path(config.docs_dir).resolve()
    page_path = Path(page.file.abs_src_path)

    def replace_link(link: re.Match[str]) -> str:
        target = (page_path.parent / link[2]).resolve()
        if target.is_relative_to(docs):
            return link[0]
        if not target.exists():
            _LOG.warning("%s links to %s, which is not there", page.file.src_path, link[2])
        return link[1]

    return _LINK.sub(replace_link, markdown)
