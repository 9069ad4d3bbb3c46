"""Figures and a page of HTML from a folded sweep. Knows neither Ray nor MLflow."""

from tuner.report.page import report_page

__all__ = ["report_page"]
