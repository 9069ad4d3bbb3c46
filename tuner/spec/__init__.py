"""The spec of a sweep: turns YAML into a validated `SweepSpec`, and reports all problems of a file together."""

from tuner.spec.loading import load_spec, spec_from_mapping
from tuner.spec.models import EarlyStopping, Epochs, Objective, Search, SweepSpec
from tuner.spec.reading import dump_yaml

__all__ = [
    "EarlyStopping",
    "Epochs",
    "Objective",
    "Search",
    "SweepSpec",
    "dump_yaml",
    "load_spec",
    "spec_from_mapping",
]
