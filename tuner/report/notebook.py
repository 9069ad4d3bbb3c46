"""Figures in the output of a notebook: they need no network and no extension, and a picture stands in for them.

A frame holds a page of its own, compressed, so that neither its styles nor its scripts meet those of the notebook. It
works in JupyterLab, the classic notebook, VS Code and exported HTML. Where scripts do not run, as on GitHub, or in a
notebook that is not trusted, what stands before the frame is still there.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from tuner.report.charts import FIGURES, Chart, Tables
from tuner.report.drawing import draw_all, embedded
from tuner.report.page import page_data
from tuner.report.templates import render
from tuner.sweep import Sweep

CORE = ("importance", "parallel_coordinates", "map", "best_so_far", "curves")
"""The figures that a notebook shows of a sweep; `sweep.plot` has all."""
PICTURE_WIDTH = 640
"""Of the picture of a chart whose width is that of the notebook."""


def core_figures(sweep: Sweep) -> str:
    """The main figures of a sweep as HTML for the output of a cell; empty if there is nothing to show yet."""
    tables = Tables(sweep)
    drawing = draw_all(tables, {"": [FIGURES[name] for name in CORE]})
    if not drawing.sections:
        return ""
    page = render(
        "notebook.html.j2",
        figures=[figure for figures in drawing.sections.values() for figure in figures],
        data=Markup(embedded(page_data(tables, drawing))),
    )
    return framed(page, f"figures of {sweep.name}")


def framed(page: str, title: str) -> str:
    """A page as a frame that grows to the height of its content."""
    packed = base64.b64encode(gzip.compress(page.encode(), 9, mtime=0)).decode()
    loader = f"""<!doctype html><meta charset="utf-8"><script>
(async () => {{
  const bytes = Uint8Array.from(atob("{packed}"), (c) => c.charCodeAt(0));
  const page = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const frame = window.frameElement;
  document.open(); document.write(page); document.close();
  if (!frame) return;
  const fit = () => {{ frame.style.height = `${{Math.ceil(document.body.getBoundingClientRect().height) + 4}}px`; }};
  new ResizeObserver(fit).observe(document.body);
  if (frame.previousElementSibling?.matches("img.tuner-picture")) frame.previousElementSibling.style.display = "none";
}})();
</script>"""
    style = "width: 100%; height: 480px; border: 0"
    return f'<iframe title="{html.escape(title)}" style="{style}" srcdoc="{html.escape(loader)}"></iframe>'


def shown_offline(chart: Chart) -> Chart:
    """The same chart, which a notebook shows without a network; or by the renderer of Altair that was chosen."""
    kind: Any = type(chart)
    object.__setattr__(chart, "__class__", _offline(kind))  # Altair takes plain assignments as its own
    return chart


@functools.cache
def _offline(kind: Any) -> Any:
    def mimebundle(self: Any, *include: Any, **options: Any) -> Any:
        if alt.renderers.active != "default":
            return kind._repr_mimebundle_(self, *include, **options)
        return {"text/html": chart_html(self), "text/plain": f"<{kind.__name__}>"}

    return type(kind.__name__, (kind,), {"_repr_mimebundle_": mimebundle, "__module__": kind.__module__})


def chart_html(chart: Chart) -> str:
    """A chart as HTML for the output of a cell: a picture, and the chart itself in place of it."""
    spec = chart.to_dict()
    picture = base64.b64encode(vl_convert.vegalite_to_png(_sized(spec), scale=1.5)).decode()
    told = html.escape(str(spec.get("description", "figure")))
    page = render("chart.html.j2", paper=spec.get("background", "#ffffff"), spec=Markup(embedded(spec)))
    image = f'<img class="tuner-picture" alt="{told}" src="data:image/png;base64,{picture}" style="max-width: 100%">'
    return image + framed(page, "figure")


def _sized(spec: dict[str, Any]) -> dict[str, Any]:
    """A chart whose width is that of its page, with a width."""
    sized = {**spec, "width": PICTURE_WIDTH} if spec.get("width") == "container" else dict(spec)
    if parts := sized.get("concat"):
        sized["concat"] = [{**part, "width": PICTURE_WIDTH // 2} for part in parts]
    return sized
