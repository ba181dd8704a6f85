# Two commands: `make demo` and `make test`. Both set up .venv on their first run.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test test-slow lint docs clean
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 24

setup: .venv/.ready  ## make .venv, once

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Acclimate needs Python 3.11 or newer: make PYTHON=python3.12 setup"; exit 1; }
	@echo "setting up .venv: several minutes, some 2 GB"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	@touch $@

demo: setup  ## the whole loop on MovieLens, ends at a page on http://127.0.0.1:8080
	$(BIN)/acclimate demo $(ARGS)

test: setup  ## what CI runs, a file at a time on each core
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not slow" -n auto --dist loadfile $(ARGS)

test-slow: setup  ## long checks too
	$(BIN)/python -m pytest --timeout 3600 $(ARGS)

lint: setup  ## style, types, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --strict --quiet

docs: setup  ## read the docs on http://127.0.0.1:8000
	$(BIN)/mkdocs serve

bench-%: setup  ## a benchmark, as in `make bench-serving`
	$(BIN)/python -m benchmarks.$*.run $(ARGS)

clean:  ## forget .venv and caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache site build dist
