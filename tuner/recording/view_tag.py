"""Whether MLflow has a sweep's view of its runs: copied stores may lack it, and earlier versions wrote other ones."""

from __future__ import annotations

from tuner.base.errors import TrackingError
from tuner.recording.client import reading_client
from tuner.recording.saved_view import tag_name, text_to_set
from tuner.recording.view import view
from tuner.sweep import Sweep


def ensure_view(uri: str, experiment_id: str, sweep: Sweep) -> bool:
    """Whether the experiment has the view, which it gets if it may be written; SQLite gets statistics, too."""
    from mlflow.exceptions import MlflowException

    from tuner.recording.sqlstore import analyze

    name, is_there = tag_name(sweep.sweep_id), False
    try:
        client = reading_client(uri)
        tags = client.get_experiment(experiment_id).tags
        is_there = name in tags
        if (text := text_to_set(name, view(sweep), tags)) is not None:
            client.set_experiment_tag(experiment_id, name, text)
        analyze(client, is_first=True)
    except (TrackingError, MlflowException, OSError):
        return is_there
    return True
