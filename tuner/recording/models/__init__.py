"""Trained models in MLflow: which ones, how they are built beside the recorder, and how they are logged, once each."""
