"""Trains trials on logical CPU devices, in a process of its own: MODELS CASES; prints what each trial came to.

A case: model, number of devices, params, epochs, and whether a break comes after the first epoch. Cases with one
trainer's name run in the same trainer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainables.framework_imports import without_unused_packages

with without_unused_packages():
    import tensorflow as tf

models, cases = sys.argv[1:]
tf.config.threading.set_intra_op_parallelism_threads(1)  # as few as a worker with one CPU has
tf.config.threading.set_inter_op_parallelism_threads(1)
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)

from trainables import registry  # noqa: E402
from trainables.training import WarmTrainer  # noqa: E402

mirrored = tf.distribute.MirroredStrategy
made = []


def one_strategy(devices: list[str]) -> tf.distribute.Strategy:
    made.append(made[0] if made else mirrored(devices))
    return made[0]


# Two strategies in one process would take each other's collective operations for their own; a worker has one.
tf.distribute.MirroredStrategy = one_strategy
names = [device.name for device in tf.config.list_logical_devices("CPU")]
trainers: dict[str, WarmTrainer] = {}
found = []
for case in json.loads(cases):
    if case["trainer"] not in trainers:
        trainable = registry.load_file(Path(models), case["model"])()
        devices = names[: case["devices"]] if case["devices"] > 1 else []
        precision = case.get("precision", "float32")
        trainers[case["trainer"]] = WarmTrainer(
            trainable, trainable.load_data(), "val_accuracy", "max", precision, devices
        )
    trainer = trainers[case["trainer"]]
    before = trainer.traces
    try:
        trainer.start(case["params"], 5)
        for epoch in range(1, case["epochs"] + 1):
            metrics = trainer.train_epoch().metrics
            if epoch == 1 and case.get("break"):
                trainer.start(case["params"], 5, trainer.snapshot().to_bytes())
        snapshot = trainer.snapshot()
        compiled = trainer._trial.compiled
        seeds = [
            part.numpy().tolist()
            for variable in compiled.model.non_trainable_variables
            if variable.name.startswith("seed_generator_state")
            for part in trainer._replicas.parts([variable])
        ]
        found.append(
            {
                "metrics": {**metrics, **trainer.test_metrics(), "epoch_s": 0},
                "values": [value.tolist() for value in snapshot.values],
                "traces": trainer.traces - before,
                "steps": int(compiled.model.optimizer.iterations.numpy()),
                "seeds": seeds,
                "reusable": compiled.reusable,
            }
        )
    except Exception as error:
        found.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps(found))
