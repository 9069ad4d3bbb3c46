"""Draws figures and an HTML page from a folded sweep. Independent of Ray and MLflow.

Matplotlib draws the figures as SVG, rather than a plotting library for browsers: a page of 150 kB that needs no
network, is the same for the same journal, and can be an artifact of every sweep. A thread writes it when a sweep ends,
and only the last line of output waits for it.
"""

from tuner.report.page import report_page

__all__ = ["report_page"]
