"""Clusters: the files that describe them, what of a sweep fits them, and launching."""
