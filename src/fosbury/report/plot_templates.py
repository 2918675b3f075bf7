"""What ``dvc plots`` draws with: ``python -m fosbury.report.plot_templates`` writes it into ``.dvc/plots``.

The charts are those of the report page. The page around them holds Vega itself, compressed, so that ``dvc plots show``
needs no network; DVC's own page loads it from a network.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path

from fosbury.files import write_text
from fosbury.report.charts import dvc_templates
from fosbury.report.html import HATCH, HATCH_STYLE, vega

FOLDER = Path(".dvc/plots")
PAGE = "page.html"
# DVC draws while the page is read: what it asks for waits until Vega is unpacked.
SCRIPT = """
const packed=Uint8Array.from(atob(document.getElementById('vega').textContent),letter=>letter.charCodeAt(0));
const stream=new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
const unpacked=new Response(stream).text().then(text=>{
const script=document.createElement('script');script.textContent=text;document.head.append(script);
return window.vegaEmbed});
window.vegaEmbed=(...asked)=>unpacked.then(embed=>embed(...asked));
"""


def page_template() -> str:
    """Return the page that DVC puts its plots into (``plots.html_template`` of its configuration)."""
    packed = base64.b64encode(zlib.compress(vega().encode(), 9)).decode()
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">{refresh_tag}<title>DVC plots</title>'
        f"<style>body{{font:16px/1.5 system-ui,sans-serif}}{HATCH_STYLE}</style></head><body>{HATCH}\n"
        "<!-- Vega, Vega-Lite and Vega-Embed: BSD 3-Clause licence, see NOTICE. Written by "
        "python -m fosbury.report.plot_templates -->\n"
        f'<script type="text/plain" id="vega">{packed}</script><script>{SCRIPT}</script>\n{{plot_divs}}\n'
        "</body></html>\n"
    )


def write_templates(folder: Path = FOLDER) -> None:
    """Write the templates of the charts, and the page."""
    for name, specification in dvc_templates().items():
        write_text(folder / f"{name}.json", json.dumps(specification, indent=2) + "\n")
    write_text(folder / PAGE, page_template())


if __name__ == "__main__":
    write_templates()
