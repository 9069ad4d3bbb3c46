"""What a new sweep learns from earlier ones: their trials, and any MLflow runs, if they fit its space."""

from tuner.recording.warmstart.sources import Source, read_sources, sources_text

__all__ = ["Source", "read_sources", "sources_text"]
