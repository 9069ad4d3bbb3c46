"""Whether MLflow has a sweep's view of its runs: sweeps of earlier versions, and copied stores, may lack it."""

from __future__ import annotations

from tuner.base.errors import TrackingError
from tuner.recording.client import reading_client
from tuner.recording.view import TAG, view, view_key
from tuner.sweep import Sweep


def ensure_view(uri: str, experiment_id: str, sweep: Sweep) -> bool:
    """Whether the experiment has the view, which it gets unless it may not be written; SQLite gets statistics, too."""
    from mlflow.exceptions import MlflowException

    from tuner.recording.sqlstore import analyze

    name = f"{TAG}{view_key(sweep)}"
    try:
        client = reading_client(uri)
        if name not in client.get_experiment(experiment_id).tags:
            client.set_experiment_tag(experiment_id, name, view(sweep))
        analyze(client, is_first=True)
    except (TrackingError, MlflowException, OSError):
        return False
    return True
