"""Pages of HTML with everything in them: no network, no other file, no clock.

Without JavaScript every chart is a table.
"""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert
from markdown_it import MarkdownIt

from fosbury.report.charts import HATCHED

VEGA_LITE = "6.4"
HATCH = (
    '<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs><pattern id="hatch" width="6" '
    'height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff"/>'
    '<rect width="1.6" height="6" fill="#444"/></pattern></defs></svg>'
)
HATCH_STYLE = f'.vega-embed [fill="{HATCHED}"]{{fill:url(#hatch)}}'

STYLE = (
    """
html{scroll-padding-top:3.2rem}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:0 1rem 3rem;color:#111;background:#fff}
nav{position:sticky;top:0;z-index:2;background:#fff;border-bottom:2px solid #111;margin:0 -1rem;padding:.3rem 1rem}
nav ul{display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;list-style:none;margin:0;padding:0}
nav a{color:#1f4e8c;font-size:.9rem}
h1{margin:1rem 0 .2em;line-height:1.2}h2{margin:2.2rem 0 .3rem;border-top:2px solid #111;padding-top:.5rem}
h3{margin:1.2rem 0 .2rem}p.lead{font-size:1.25rem}p,li{overflow-wrap:anywhere}td,th{overflow-wrap:break-word}
table{border-collapse:collapse;margin:.5rem 0;font-size:.9rem;max-width:100%}
td,th{border-bottom:1px solid #999;padding:.15rem .6rem;text-align:right;vertical-align:top;font-weight:normal}
thead th{font-weight:bold;vertical-align:bottom}tr.bold>*{font-weight:bold}
td:first-child,th:first-child{text-align:left}
figure{margin:1rem 0}figcaption{font-weight:bold}.plot{width:100%}.plot .vega-embed{width:100%;display:block}
details{margin:.2rem 0}summary{cursor:pointer;color:#1f4e8c}
a:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible{outline:3px solid #1f4e8c}
@media(max-width:40rem){
html{scroll-padding-top:5rem}nav ul{gap:.1rem .9rem}
table,tbody,tr,td,tbody th{display:block}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{border-bottom:2px solid #999;padding:.3rem 0}td,tbody th{border:0;padding:.05rem 0;overflow-wrap:anywhere}
tbody th{font-weight:bold}
td{display:flex;justify-content:space-between;gap:1rem}
td::before{content:attr(data-label);text-align:left;color:#444}
}
@media print{nav,input,select{display:none}[hidden]{display:block!important}}
"""
    + HATCH_STYLE
)

DRAW = """
function draw(figure){
const specification=JSON.parse(figure.querySelector('script').textContent);
return vegaEmbed(figure.querySelector('.plot'),specification).then(({view})=>{
figure.querySelector('details').open=false;figure.dataset.drawn='yes';
view.addEventListener('click',(event,item)=>{
const group=item&&item.datum&&item.datum[figure.dataset.column];
if(group!==undefined)figure.dispatchEvent(new CustomEvent('group',{bubbles:true,
detail:figure.dataset.part+'/'+group}))})
}).catch(error=>{figure.dataset.failed=String(error)})}
const drawn=Promise.all([...document.querySelectorAll('figure.chart')].map(draw));
"""


@dataclass(frozen=True)
class Section:
    """A part of a page that its contents bar links to.

    Attributes
    ----------
    title : str
    content : str
        HTML.
    short : str
        What the contents bar calls it; the title by default.
    """

    title: str
    content: str
    short: str = ""

    @property
    def anchor(self) -> str:
        """Name that a link to the section ends in."""
        return re.sub(r"[^a-z0-9]+", "-", (self.short or self.title).lower()).strip("-")


@functools.cache
def vega() -> str:
    """JavaScript of Vega, Vega-Lite and Vega-Embed."""
    return vl_convert.javascript_bundle(vl_version=VEGA_LITE)  # type: ignore[call-arg]  # its stub asks for a snippet


def document(title: str, lead: str, sections: Sequence[Section], *, style: str = "", script: str = "") -> str:
    """Return a page with a contents bar.

    Parameters
    ----------
    title : str
    lead : str
        HTML between the title and the first section.
    sections : sequence of Section
    style, script : str
        Of this page alone.
    """
    links, body = "", ""
    for number, section in enumerate(sections):
        taken = section.anchor in [other.anchor for other in sections[:number]]
        anchor = f"{section.anchor}-{number}" if taken else section.anchor
        links += f'<li><a href="#{anchor}">{html.escape(section.short or section.title)}</a></li>'
        body += f'<section id="{anchor}"><h2>{html.escape(section.title)}</h2>{section.content}</section>'
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head><body>{HATCH}"
        f'<nav aria-label="Contents"><ul>{links}</ul></nav><main><h1>{html.escape(title)}</h1>{lead}{body}</main>'
        f"<script>{vega()}</script><script>{DRAW}{script}</script></body></html>\n"
    )


def table(head: Sequence[object], rows: Sequence[Sequence[object]], bold: str | None = None) -> str:
    """Return a table that a narrow screen shows row below row, each cell with its heading.

    Parameters
    ----------
    head : sequence
    rows : sequence of sequence
        The first cell names the row.
    bold : str, optional
        Name of the row that stands out.
    """
    heading = "".join(f'<th scope="col" role="columnheader">{html.escape(str(cell))}</th>' for cell in head)
    lines = []
    for first, *cells in rows:
        mark = ' class="bold"' if bold is not None and first == bold else ""
        named = zip(head[1:], cells, strict=True)
        line = "".join(f'<td role="cell" data-label="{_escaped(name)}">{_escaped(cell)}</td>' for name, cell in named)
        lines.append(f'<tr role="row"{mark}><th scope="row" role="rowheader">{html.escape(str(first))}</th>{line}</tr>')
    return (
        f'<table role="table"><thead role="rowgroup"><tr role="row">{heading}</tr></thead>'
        f'<tbody role="rowgroup">{"".join(lines)}</tbody></table>'
    )


def _escaped(cell: object) -> str:
    """Keep an interval or a change in brackets on one line."""
    whole = re.sub(r"[\[(][^\])]{1,16}[\])]", lambda found: found[0].replace(" ", "\N{NO-BREAK SPACE}"), str(cell))
    return html.escape(whole)


def markdown(text: str) -> str:
    """HTML of Markdown with tables; HTML, pictures and links in it stay text."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "link", "autolink"])
    return re.sub(r"<table>.*?</table>", lambda found: _labelled(found[0]), reader.render(text), flags=re.DOTALL)


def _labelled(element: str) -> str:
    """Give the cells of a table of Markdown what :func:`table` gives its own."""
    head = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<th[^>]*>(.*?)</th>", element, re.DOTALL)]

    def row(found: re.Match[str]) -> str:
        cells = re.findall(r"<td[^>]*>(.*?)</td>", found[0], re.DOTALL)
        rest = zip(head[1:], cells[1:], strict=True)
        line = "".join(f'<td role="cell" data-label="{name}">{cell}</td>' for name, cell in rest)
        return f'<tr role="row"><th scope="row" role="rowheader">{cells[0]}</th>{line}</tr>'

    start, _, rows = element.partition("<tbody>")
    start = start.replace("<table>", '<table role="table">')
    return f"{start}<tbody>{re.sub(r'<tr>.*?</tr>', row, rows, flags=re.DOTALL)}" if rows else start


def chart(
    specification: Mapping[str, Any], alternative: str, *, part: str = "", column: str = "", help: str = ""
) -> str:
    """Return a chart with its table.

    Parameters
    ----------
    specification : mapping
        Of Vega-Lite; its ``description`` is the title.
    alternative : str
        The table of what the chart shows, HTML: all there is without JavaScript.
    part, column : str
        What a click on a mark is a choice of: the page's script gets the event ``group`` with ``part`` and the
        value of this column.
    help : str
        What a person can do with the chart.
    """
    title = html.escape(specification["description"])
    said = json.dumps(specification, separators=(",", ":"), sort_keys=True).replace("<", "\\u003c")
    data = f' data-part="{part}" data-column="{column}"' if part else ""
    return (
        f'<figure class="chart"{data}><figcaption>{title}</figcaption><div class="plot"></div>'
        f'<script type="application/json">{said}</script>{f"<small>{html.escape(help)}</small>" if help else ""}'
        f"<details open><summary>{title}, as a table</summary>{alternative}</details></figure>"
    )
