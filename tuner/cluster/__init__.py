"""Clusters: checking the files that describe them, checking sweeps against them, and launching sweeps on them."""
