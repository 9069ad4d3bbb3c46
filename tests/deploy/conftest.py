"""Sweeps against the deployed tracking server: the fixtures of tests/sweeps."""

from tests.sweeps.conftest import cli, mlflow_database, ray_address, tiny_spec  # noqa: F401 - fixtures
