"""What a new sweep learns of earlier ones: their trials, and any MLflow runs, as far as they fit its space."""

from tuner.recording.warmstart.sources import Source, read_sources, sources_text

__all__ = ["Source", "read_sources", "sources_text"]
