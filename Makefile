# What people run; CI runs the same targets. `make demo` on a fresh machine sets everything up by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .bench/peers
UV = $(BIN)/python -m uv

.PHONY: setup demo test test-fast test-hosts soak bench check lock clean

setup: $(READY)

# uv, pinned by the lock file like all the rest, installs the environment from it.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tuner needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)"
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup
	$(BIN)/tuner run digits --name digits-$$(date +%Y%m%d-%H%M%S)

# Three processes, a file of tests in one of them: half of the time is spent waiting for servers and workers.
test: setup
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --durations=25 -m "not hosts"

# Clusters of several hosts on one machine: needs root, iproute2, openssh-server and rsync.
test-hosts: setup
	$(BIN)/python -m pytest --durations=0 -m hosts

test-fast: setup
	$(BIN)/python -m pytest --numprocesses=2 --dist=worksteal -m "not slow and not hosts"

# Real sweeps under a random schedule of all faults; `make soak SOAK="--minutes 60 --seed 7"`.
soak: setup
	$(BIN)/python -m tests.soak $(SOAK)

# Tuner beside its peers, which get an environment of their own; `make bench BENCH="--quick --only first_epoch"`.
bench: setup $(PEERS)/.ready
	$(BIN)/python -m tests.benchmarks.bench --peers $(PEERS)/bin/python $(BENCH)

$(PEERS)/.ready: tests/benchmarks/peers/requirements.lock | $(READY)
	$(PYTHON) -m venv $(PEERS)
	$(UV) pip sync --quiet --python $(PEERS)/bin/python --require-hashes tests/benchmarks/peers/requirements.lock
	touch $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# After a change of pyproject.toml's dependencies.
lock: setup
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev --extra cluster --extra gcp --extra gs \
		--no-header --no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra gpu --extra cluster --extra gs --constraint requirements.lock \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate pyproject.toml --output-file deploy/requirements-gpu.lock
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint requirements.lock \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate deploy/mlflow/requirements.in \
		--output-file deploy/mlflow/requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint requirements.lock \
		--no-header --no-emit-index-url --no-emit-find-links --no-annotate tests/benchmarks/peers/requirements.in \
		--output-file tests/benchmarks/peers/requirements.lock

clean:
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
