"""Addresses of pages in MLflow's UI. Without the right parameters it opens its pages for language models."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from tuner.recording.names import best_objective_key
from tuner.sweep import Sweep

_TRAININGS = {"workflowType": "machine_learning"}


def experiments_page(base: str) -> str:
    """All experiments of the server at `base`."""
    return f"{base.rstrip('/')}/#/experiments?{urlencode(_TRAININGS)}"


def trials_page(base: str, experiment_id: str, sweep: Sweep) -> str:
    """The sweep's runs among its experiment's, best first."""
    query = {
        **_TRAININGS,
        "searchFilter": f"tags.`tuner.sweep` = '{sweep.name}'",
        "orderByKey": f"metrics.`{best_objective_key(sweep.metric)}`",
        "orderByAsc": str(sweep.mode == "min").lower(),
    }
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"
