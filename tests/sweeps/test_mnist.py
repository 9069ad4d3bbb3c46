"""The main job: 64 configurations of a network on MNIST; a third of the images, in large batches, for time's sake."""

from __future__ import annotations

import pytest

from tests.sweeps.conftest import Cli, check_history

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.mark.usefixtures("mnist_folder")
def test_64_configurations_of_the_mnist_network(cli: Cli) -> None:
    changes = ["num_trials=64", "epochs.max=9", "space.batch_size.choices=[128,256]", "space.train_size=20000"]
    cli("run", "mnist-dense", "--name", "s64", *(part for change in changes for part in ("--set", change)))
    sweep = check_history(cli.folder("s64"))
    shown = cli.json("show", "s64")
    assert len(sweep.trials) == 64 and shown["outcomes"]["unfinished"] == 0 and shown["slots"] == 2
    assert shown["best"]["value"] >= 0.965
    assert sum(epoch.epoch_s for trial in sweep.trials.values() for epoch in trial.epochs) == pytest.approx(
        shown["training_s"], abs=0.01
    )
