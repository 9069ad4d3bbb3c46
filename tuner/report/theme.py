"""The colors of figures, light and dark: one configuration for Vega-Lite each. Charts name styles, never colors.

Outcomes also differ in shape or are named, so that nothing depends on color alone.
"""

from __future__ import annotations

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_LIGHT: dict[str, Any] = {
    "paper": "#ffffff", "card": "#f6f8fa", "ink": "#1d2730", "quiet": "#55626e", "line": "#e3e7ec",
    "mark": "#1f6fb8", "faint": "#8fa0b0", "best": "#c2410c", "picked": "#111111",
    "ramp": ["#c9d9ea", "#6fa3d3", "#1f6fb8", "#0a2c55"],
}  # fmt: skip
_DARK: dict[str, Any] = {
    "paper": "#14181d", "card": "#1c2229", "ink": "#e6eaee", "quiet": "#a3afbb", "line": "#2b333c",
    "mark": "#5aa9f0", "faint": "#75838f", "best": "#fb923c", "picked": "#ffffff",
    "ramp": ["#27435f", "#3d78b3", "#74b4f2", "#d8ecff"],
}  # fmt: skip
_CATEGORIES = {
    "light": ["#1f6fb8", "#8a98a6", "#b7791f", "#b3261e", "#7b4fa3", "#2e7d4f", "#0e7490", "#5f6b76", "#be185d"],
    "dark": ["#5aa9f0", "#8a98a6", "#e0b04a", "#f2716a", "#b795de", "#63c08a", "#4cc3d9", "#b4bec8", "#f472b6"],
}


def config(scheme: str) -> dict[str, Any]:
    """The configuration of charts for `light` or `dark`."""
    color = _DARK if scheme == "dark" else _LIGHT
    text = {"labelColor": color["quiet"], "titleColor": color["ink"], "labelFontSize": 11, "titleFontSize": 12}
    return {
        "background": "transparent",
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None, "continuousHeight": 240, "continuousWidth": 560},
        "axis": {
            **text, "titleFontWeight": 500, "labelLimit": 140, "titleLimit": 260, "gridColor": color["line"],
            "domainColor": color["faint"], "tickColor": color["faint"],
        },
        "legend": {**text, "titleFontWeight": 500, "labelLimit": 160, "titleLimit": 180, "symbolStrokeWidth": 2},
        "title": {"color": color["ink"], "subtitleColor": color["quiet"], "fontSize": 13, "anchor": "start"},
        "range": {"category": _CATEGORIES["dark" if scheme == "dark" else "light"], "ramp": color["ramp"],
                  "heatmap": color["ramp"]},
        "text": {"color": color["ink"], "fontSize": 11},
        "bar": {"color": color["mark"]},
        "rect": {"color": color["mark"]},
        "line": {"color": color["mark"]},
        "area": {"color": color["mark"]},
        "rule": {"color": color["ink"]},
        "tick": {"color": color["mark"]},
        "point": {"color": color["mark"], "filled": True, "size": 42},
        "style": {
            "quiet": {"color": color["faint"], "fill": color["quiet"]},
            "trial": {"color": color["faint"], "stroke": color["faint"], "strokeWidth": 1, "opacity": 0.45},
            "spot": {"color": color["paper"], "stroke": color["ink"], "strokeWidth": 0.6, "opacity": 0.8},
            "band": {"fill": color["mark"], "fillOpacity": 0.18},
            "whisker": {"color": color["ink"], "strokeWidth": 1.5},
            "best": {"color": color["best"], "stroke": color["best"], "strokeWidth": 2.5, "opacity": 1},
            "best_dot": {"fill": "transparent", "stroke": color["best"], "strokeWidth": 2.5, "size": 150, "opacity": 1},
            "picked": {"color": color["picked"], "stroke": color["picked"], "strokeWidth": 3, "opacity": 1},
            "picked_dot": {"fill": "transparent", "stroke": color["picked"], "strokeWidth": 3, "size": 230,
                           "opacity": 1},
            "mark": {"color": color["mark"]},
        },
    }  # fmt: skip


def paper(scheme: str) -> str:
    """The color behind a figure that stands alone."""
    return str((_DARK if scheme == "dark" else _LIGHT)["paper"])


def variables(scheme: str) -> str:
    """The colors of a page, as CSS variables."""
    color = _DARK if scheme == "dark" else _LIGHT
    names = ("paper", "ink", "quiet", "line", "mark", "faint", "best", "picked", "card")
    return " ".join(f"--{name}: {color[name]};" for name in names)
