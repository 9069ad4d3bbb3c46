"""Measures a trainable before its first sweep: learning rates, batch sizes, epochs."""
