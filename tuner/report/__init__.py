"""Draws a report of a folded sweep: a page with figures, an image, Markdown or JSON. Independent of Ray and MLflow.

Altair builds the figures as Vega-Lite (`charts/`), once for pages, notebooks and images. The page is one file with
Vega in it: it needs no network, is the same for the same journal, and can be an artifact of every sweep. A thread
writes it when a sweep ends, and only the last line of output waits for it.
"""

from tuner.report.bundle import vega_script
from tuner.report.page import report_page

__all__ = ["prepare", "report_page"]


def prepare() -> None:
    """Does ahead what takes longest the first time: joins the script of a page, and imports what weighs parameters."""
    import sklearn.tree  # noqa: F401

    vega_script()
