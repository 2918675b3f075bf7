"""Links that leave docs/: pictures come along, links to other files of the repository become text.

On a forge the same links lead to the files.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PICTURES = (".jpg", ".png", ".svg")
OUTSIDE = re.compile(r"(!?)\[([^\]]*)\]\(\.\./([^)\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pictures that pages show from outside docs/."""
    shown = {
        match[3]
        for page in files.documentation_pages()
        for match in OUTSIDE.finditer(page.content_string)
        if match[1] == "!"
    }
    for name in sorted(shown):
        files.append(File.generated(config, f"pictures/{PurePosixPath(name).name}", abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point pictures at their copies, and leave of a link to a file of the repository its text."""

    def inside(match: re.Match[str]) -> str:
        mark, text, name = match.groups()
        path = ROOT / name
        if not path.exists() or (mark and path.suffix not in PICTURES):
            raise PluginError(f"{page.file.src_path} leads to {name}, which is not there")
        return f"![{text}](pictures/{path.name})" if mark else text

    return OUTSIDE.sub(inside, markdown)
