"""Models written for KerasTuner as trainables: `hp`, the space that it finds, and training through their `fit`."""

from trainables.kerastuner.adapter import HyperTrainable, adapted, is_hypermodel
from trainables.kerastuner.hyperparameters import HyperParameters

__all__ = ["HyperParameters", "HyperTrainable", "adapted", "is_hypermodel"]
