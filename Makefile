# Every target works on a fresh machine with Python 3.11+, Java 17+ and Maven: the first one makes .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: help install demo test check bench clean
.DEFAULT_GOAL := help

help:            ## this list
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## */\t/' | expand -t 10

install: $(INSTALLED)  ## the environment in .venv, from the lock file

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Stillwatch needs Python 3.11 or newer; set PYTHON=python3.11, say"; exit 1; }
	@echo "Installing into .venv, about a minute the first time ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

demo: $(INSTALLED)  ## an attack found live: real Kafka, workers, ClickHouse; ends by itself
	$(BIN)/stillwatch demo

test: $(INSTALLED)  ## the default suite, real Kafka and ClickHouse among it
	$(BIN)/pytest -n 2 --dist loadgroup

check: $(INSTALLED)  ## ruff, mypy --strict, import directions and layout
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest tests/unit/test_import_direction.py tests/unit/test_layout.py

bench: $(INSTALLED)  ## throughput, latency, recovery and memory, beside peers
	$(BIN)/python -m tests.bench.throughput

clean:           ## forget the environment and caches
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
