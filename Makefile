# The commands of the project. Recipes only call 'suite' and other tools; what they do is decided there.

PYTHON ?= python3
VENV ?= .venv
P ?= 17
SEEDS ?= 1
BUDGET ?= 2h

BIN := $(abspath $(VENV))/bin
SUITE := $(BIN)/suite
STAMP := $(VENV)/.installed

export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := true
ifneq ($(wildcard ../shared/data/.),)
export SUITE_MIRROR ?= $(abspath ../shared/data)
endif

.DEFAULT_GOAL := help
.PHONY: help setup lock data reproduce reproduce-all pipeline report rates test test-slow test-all lint format clean

help:  ## Lists the targets
	@echo "make TARGET [P=NN] [SEEDS=5] [FULL=1 BUDGET=2h] [PYTHON=python3.13]"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Makes .venv from the hashed lock and installs the suite into it; does nothing when it is current

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
		{ echo "$(PYTHON) is $$($(PYTHON) --version 2>&1), expected Python 3.11 to 3.13; name one: make setup PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

lock: setup  ## Writes requirements/dev.txt anew; UPGRADE=1 takes the newest versions
	$(BIN)/uv pip compile pyproject.toml --quiet --no-config --extra dev --universal --python-version 3.11 \
		--fork-strategy fewest --generate-hashes --annotation-style line --custom-compile-command "make lock" \
		--no-emit-index-url $(if $(UPGRADE),--upgrade) -o requirements/dev.txt

data: setup  ## Fetches every data set that can be had, and says how to get the others
	$(SUITE) data fetch

reproduce: setup  ## One seed of the flagship afresh (P=NN, SEEDS=5 for others), after a smoke run of every paper; minutes
	@$(SUITE) data fetch || echo "Going on with the data that is here."
	@code=0; \
	$(SUITE) run --all --scale smoke --fresh || code=$$?; \
	$(SUITE) run $(P) --seeds $(SEEDS) --fresh || code=$$?; \
	$(SUITE) show $(P) --mine || code=$$?; \
	$(SUITE) list || code=$$?; \
	echo; \
	echo "The scoreboard: reports/README.md. A paper's page lies beside its records, such as reports/p17_jacobian_uap/README.md."; \
	echo "Go on: make reproduce SEEDS=5; make reproduce P=NN; make reproduce-all (every paper); $(VENV)/bin/suite --help"; \
	exit $$code

reproduce-all: setup  ## Everything that is stale, as 'dvc repro' finds it, then the report; FULL=1 adds full runs
	@code=0; \
	$(SUITE) data fetch || code=1; \
	$(BIN)/dvc repro --keep-going || code=1; \
	$(if $(FULL),$(SUITE) run --all --scale full --budget $(BUDGET) || { full=$$?; test $$code -ne 0 || code=$$full; };) \
	$(if $(FULL),$(SUITE) pipeline && $(BIN)/dvc repro --keep-going || code=1;) \
	$(SUITE) report || code=1; \
	$(SUITE) pipeline --summary || code=1; \
	test $$code -ne 4 || echo "The budget is spent; the same command goes on (exit code 4, which make turns into its 2)."; \
	exit $$code

pipeline: setup  ## Writes the stage and key files anew
	$(SUITE) pipeline

report: setup  ## Writes the scoreboard and the pages anew from the records
	$(SUITE) report

rates: setup  ## Simulates the verdict rules and writes their rates into docs/verdicts.md; minutes
	$(BIN)/python -m suite.rulebook

test: setup  ## The tests that every change must pass; minutes
	$(BIN)/pytest -m "not slow and not network"

test-slow: setup  ## The rest: the slow tests
	$(BIN)/pytest -m "slow and not network"

test-all: setup  ## All tests but those that reach the network
	$(BIN)/pytest -m "not network"

.PHONY: bench lock-bench
bench: setup $(VENV)/peers/.installed  ## Times the kernels beside their peers, for a quiet machine; ACCEPT=1 keeps the times
	@mkdir -p build; rm -f build/bench.json; code=0; \
	OMP_NUM_THREADS=1 PYTHONPATH=$(abspath $(VENV))/peers $(BIN)/pytest tests/bench --benchmark-enable --benchmark-only \
		--benchmark-quiet --benchmark-json=build/bench.json -q -r fE --timeout=0 $(if $(TINY),--tiny) || code=$$?; \
	$(BIN)/python -m tests.bench.table build/bench.json $(if $(ACCEPT),--accept) || code=$$?; exit $$code

# A folder of their own: nothing in the environment is up- or downgraded, and the tests never see the peers.
$(VENV)/peers/.installed: requirements/bench.txt
	rm -rf $(@D)
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps --target $(@D) -r requirements/bench.txt
	@touch $@

lock-bench: setup  ## Writes requirements/bench.txt anew from bench.in; UPGRADE=1 takes the newest versions
	$(BIN)/uv pip compile requirements/bench.in --quiet --no-config --no-deps --universal --python-version 3.11 \
		--generate-hashes --annotation-style line --custom-compile-command "make lock-bench" --no-emit-index-url \
		$(if $(UPGRADE),--upgrade) -o requirements/bench.txt

lint: setup  ## Style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup  ## Mends style and format where a program can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:  ## Removes caches and builds; data, records, checkpoints and .suite/ stay
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find suite tests -name __pycache__ -type d -prune -exec rm -rf {} +
