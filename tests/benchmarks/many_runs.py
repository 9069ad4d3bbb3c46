"""How MLflow's page of runs does with the runs of a large sweep: the requests that it makes, on SQLite and PostgreSQL.

    python -m tests.benchmarks.many_runs [--trials 10000] [--recorded 250] [--stores sqlite postgresql]

Some trials are recorded by Tuner's recorder; the others are copies of their rows, as that takes seconds.
Then a real server is asked as by the page that `tuner ui` opens: the first 100 runs by the view's filter and order, the
next 100, the same by date, the sweep's own run, and the learning curves of 50 runs. Seconds are the median of five.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sqlalchemy

from tests.benchmarks import recording_cost
from tests.servers import MlflowServer, Postgres
from tuner.recording import read_cursor
from tuner.recording.view import trials_filter
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import Sweep, fold

EPOCHS = 9
TABLES = ("runs", "tags", "params", "metrics", "latest_metrics")
TIMES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--recorded", type=int, default=250)
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    options = parser.parse_args()
    for store in options.stores:
        if store == "postgresql" and (why := Postgres.is_missing()):
            print(f"PostgreSQL: not measured, {why}")
            continue
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            uri = f"sqlite:///{folder}/mlflow.db"
            if store == "postgresql":
                uri = stack.enter_context(Postgres()).uri
            recording_cost.make_database(uri)
            from mlflow import MlflowClient

            from tuner.recording.sqlstore import analyze

            recording_cost.record_sweep(folder, uri, options.recorded, EPOCHS)
            num_runs = _copy(uri, options.trials // options.recorded - 1)
            server = stack.enter_context(MlflowServer(uri, folder))
            print(f"{store}, {num_runs} runs{_size(folder / 'mlflow.db')}")
            sweep_folder = StorageRoot.resolve(str(folder)).sweep("s")
            cursor = read_cursor(sweep_folder)
            sweep = fold(read_events(sweep_folder))
            _ask(server.url, sweep, cursor.experiment_id, cursor.run_id)
            if store == "sqlite":
                print("with the statistics that the recorder makes at 500 runs, and whenever they have doubled")
                analyze(MlflowClient(uri))
                _ask(server.url, sweep, cursor.experiment_id, cursor.run_id)
            shutil.rmtree(folder / "artifacts", ignore_errors=True)


def _size(file: Path) -> str:
    return f", {file.stat().st_size / 2**20:.0f} MiB" if file.exists() else ""


def _copy(uri: str, times: int) -> int:
    """Copies the rows of all trials' runs so many times, with other ids and values; how many runs there are then."""
    engine = sqlalchemy.create_engine(uri)
    columns_of = {table: [one["name"] for one in sqlalchemy.inspect(engine).get_columns(table)] for table in TABLES}
    number = "printf('%04x', :k)" if engine.dialect.name == "sqlite" else "lpad(to_hex(:k), 4, '0')"
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "create temporary table originals as select run_uuid from tags where key = 'tuner.trial'"
        )
        for k in range(1, times + 1):
            for table, columns in columns_of.items():
                taken = {"run_uuid": f"{number} || substr(run_uuid, 5)", "value": "value"}
                if table in ("metrics", "latest_metrics"):
                    taken["value"] = "value * (1 + 0.00001 * :k)"
                if table == "runs":
                    taken["start_time"] = "start_time + :k"
                chosen = ", ".join(taken.get(name, name) for name in columns)
                statement = f"insert into {table} ({', '.join(columns)}) select {chosen} from {table}"
                whose = "where run_uuid in (select run_uuid from originals)"
                connection.execute(sqlalchemy.text(f"{statement} {whose}"), {"k": k})
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("analyze")
        found = int(connection.exec_driver_sql("select count(*) from runs").scalar_one())
    engine.dispose()
    return found


def _ask(url: str, sweep: Sweep, experiment_id: str, parent_id: str) -> None:
    asked: dict[str, Any] = {"experiment_ids": [experiment_id], "max_results": 100, "run_view_type": "ACTIVE_ONLY"}
    best = {**asked, "filter": trials_filter(sweep), "order_by": ["metrics.`best_val_accuracy` DESC"]}
    first = _timed("the first 100, best first, as tuner ui opens them", url, "runs/search", best)
    following = {**best, "page_token": first["next_page_token"]}
    _timed("the next 100", url, "runs/search", following)
    _timed("1,000 at once", url, "runs/search", {**best, "max_results": 1000})
    _timed(
        "the first 100 by date, without a filter",
        url,
        "runs/search",
        {**asked, "order_by": ["attributes.start_time DESC"]},
    )
    _timed("the sweep's own run", url, f"runs/get?run_id={parent_id}")
    ids = "&".join(f"run_ids={run['info']['run_id']}" for run in first["runs"][:50])
    curves = f"metrics/get-history-bulk-interval?{ids}&metric_key=val_accuracy&max_results=320"
    _timed("learning curves of 50 runs", url, curves)


def _timed(what: str, url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    seconds, text = [], b""
    for _ in range(TIMES):
        request = urllib.request.Request(
            f"{url}/ajax-api/2.0/mlflow/{path}", data=data, headers={"Content-Type": "application/json"}
        )
        began = time.perf_counter()
        with urllib.request.urlopen(request, timeout=300) as reply:
            text = reply.read()
        seconds.append(time.perf_counter() - began)
    print(f"  {statistics.median(seconds):6.2f} s, {len(text) / 2**10:6.0f} KiB: {what}", flush=True)
    found: dict[str, Any] = json.loads(text)
    return found


if __name__ == "__main__":
    main()
