"""Trains trials as nobody disturbs them: requests as lines of JSON on standard input, their epochs' metrics as answers.

One process for all programs, since importing TensorFlow takes longer than training them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from trainables import registry
from trainables.process import set_up_process


def train(file: str, name: str, metric: str, mode: Any, trials: list[dict[str, Any]]) -> list[list[dict[str, float]]]:
    """The metrics of each epoch of each trial; `trials` have params, seed and epochs."""
    from trainables.training import make_trainer
    from trainables.training.pipeline_draws import reproducible_draws

    path = Path(file)
    os.chdir(path.parent)
    trainable = registry.load_file(path, name)()
    with reproducible_draws():  # as a worker loads them
        data = trainable.load_data()
    trainer = make_trainer(trainable, data, metric, mode)
    trained = []
    for trial in trials:
        trainer.start(trial["params"], trial["seed"])
        trained.append([trainer.train_epoch().metrics for _ in range(trial["epochs"])])
    return trained


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what trainables print
    set_up_process(2)
    for line in sys.stdin:
        answers.write(json.dumps(train(**json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
