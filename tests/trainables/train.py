"""Trains one trial in a process of its own: MODELS CLASS PARAMS SEED EPOCHS FROM TO; FROM is a checkpoint or empty."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainables import registry
from trainables.framework_imports import without_unused_packages

with without_unused_packages():
    from trainables.training import WarmTrainer

models, name, params, seed, epochs, checkpoint, target = sys.argv[1:]
trainable = registry.load_file(Path(models), name)()
trainer = WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max")
trainer.start(json.loads(params), int(seed), Path(checkpoint).read_bytes() if checkpoint else None)
for _ in range(int(epochs)):
    result = trainer.train_epoch()
Path(target).write_bytes(trainer.snapshot().to_bytes())
print(json.dumps({**result.metrics, **trainer.test_metrics(), "epoch_s": 0}))
