"""Addresses of pages in MLflow's UI. Without the right parameters it opens its pages for language models."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from tuner.recording.names import best_objective_key
from tuner.recording.saved_view import view_key
from tuner.recording.view import trials_filter
from tuner.sweep import Sweep

_TRAININGS = {"workflowType": "machine_learning"}


def experiments_page(base: str) -> str:
    """All experiments of the server at `base`."""
    return f"{base.rstrip('/')}/#/experiments?{urlencode(_TRAININGS)}"


def trials_page(base: str, experiment_id: str, sweep: Sweep, has_view: bool = True) -> str:
    """The sweep's trials with what was searched, best first: its view of the page, or without one the page as it is."""
    if has_view:
        return f"{base.rstrip('/')}/{trials_fragment(experiment_id, sweep)}"
    query = {
        **_TRAININGS,
        "searchFilter": trials_filter(sweep),
        "orderByKey": f"metrics.`{best_objective_key(sweep.metric)}`",
        "orderByAsc": str(sweep.mode == "min").lower(),
    }
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def trials_fragment(experiment_id: str, sweep: Sweep) -> str:
    """The same within MLflow's pages, which need not know where they are served."""
    query = {**_TRAININGS, "viewStateShareKey": view_key(sweep.sweep_id)}
    return f"#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"
