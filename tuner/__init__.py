"""Tuner: a sweep is a journal of events, and everything else is made from it. Importing this loads nothing."""
