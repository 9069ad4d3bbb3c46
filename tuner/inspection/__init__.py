"""What a spec's trainable is and needs, and whether the spec fits it; before any cluster is touched."""

from tuner.inspection.background import Inspection, checked, load_checked
from tuner.inspection.examine import inspect, load_trainable
from tuner.inspection.inspected import Inspected

__all__ = ["Inspected", "Inspection", "checked", "inspect", "load_checked", "load_trainable"]
