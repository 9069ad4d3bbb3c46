"""What a spec's trainable is and needs, and whether the spec fits it; before any cluster is touched."""

from tuner.inspection.background import Inspection, checked, load_checked
from tuner.inspection.examine import Inspected, inspect, load_trainable

__all__ = ["Inspected", "Inspection", "checked", "inspect", "load_checked", "load_trainable"]
