"""Adopted programs run as the sweeps do."""

from tests.sweeps.conftest import cli, mlflow_database, ray_address  # noqa: F401 - fixtures
