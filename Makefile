# Python 3.11 or later and make are all that is needed. PYTHON=… chooses another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install demo test test-all lint generate bench clean

help:
	@echo 'make demo      run the main job on examples/mailboxes.yaml, and test mailboxes'
	@echo 'make test      run the tests that take two minutes, on SQLite and one PostgreSQL'
	@echo 'make test-all  run all tests, on every database and mail server that is installed'
	@echo 'make lint      check style, types and import layers'
	@echo 'make generate  rewrite the files that are made from the code'
	@echo 'make bench     measure 10,000 and 100,000 mail servers (takes a while)'
	@echo 'make install   create $(VENV) with the command and all tools'
	@echo 'make clean     remove everything that make has created'

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c '' || { echo 'Python 3.11 or later is needed, and "$(PYTHON)" cannot be run. Install it, or name another: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or later is needed; this is' "$$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/demo.sh

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --quick

test-all: $(INSTALLED)
	$(BIN)/python -m pytest -n auto

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy reconciler tests benchmarks scripts
	$(BIN)/lint-imports

generate: $(INSTALLED)
	$(BIN)/python -m scripts.generate

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks --servers 10000,100000

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
