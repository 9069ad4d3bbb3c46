"""Pages from templates: with the styles, the colors and the scripts that all pages share."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tuner.report import theme
from tuner.report.bundle import vega_script


def render(template: str, /, **values: Any) -> str:
    """The page of a template, in which all values are escaped."""
    page: str = _template(template).render(
        **values,
        css=Markup(_text("page.css")),
        colors={scheme: Markup(theme.variables(scheme)) for scheme in ("light", "dark")},
        vega=Markup(vega_script()),
        script=Markup(_text("page.js")),
    )
    return page


@functools.cache
def _text(name: str) -> str:
    return resources.files("tuner.report").joinpath(name).read_text(encoding="utf-8")


@functools.cache
def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("tuner.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
