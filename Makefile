# One verb a line; CI calls the same ones as a person.
PYTHON ?= python3
BIN := .venv/bin
UV = $(shell command -v uv || echo $(BIN)/uv)
READY := .venv/.ready
SOURCES := src tests benchmarks fuzz release docs/figures

.PHONY: help demo test check format lock package release lowest docs clean
.DEFAULT_GOAL := help

help: ## list what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(READY) ## train on generated discs, evaluate, and say where the report is
	$(BIN)/onebox demo

# Tests train on one thread each. A group of tests/conftest.py stays in one process.
test: $(READY) ## run every test
	$(BIN)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadgroup

check: $(READY) ## format, lint, import contracts, types, spelling, dependencies, dead code
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/deptry src
	$(BIN)/vulture

format: $(READY) ## rewrite the sources in the one format
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lock: .venv/.uv ## choose the versions anew and pin them by hash
	$(UV) pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --upgrade --quiet \
	  --output-file requirements.lock

package: $(READY) ## build sdist and wheel twice, compare them, and try the wheel without extras
	$(BIN)/python release/build_twice.py
	$(BIN)/python release/check_wheel.py --python $(BIN)/python light

release: $(READY) ## build twice, audit licences, list materials, try the wheel on every Python and with every extra
	$(BIN)/python release/build_twice.py
	$(BIN)/python release/licences.py
	$(BIN)/python release/sbom.py
	$(BIN)/python release/check_wheel.py

lowest: $(READY) ## run tests with the lowest versions that pyproject.toml allows
	$(BIN)/python release/lowest.py

docs: $(READY) ## build the site into site/
	$(BIN)/mkdocs build --strict

clean: ## remove what the other verbs made, except runs/
	rm -rf .venv site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# A virtual environment of our own takes uv even where the system's pip refuses (PEP 668);
# where the system Python has no ensurepip, its pip installs into the new environment from outside.
.venv/.uv:
	$(PYTHON) -m venv .venv || $(PYTHON) -m venv --without-pip .venv
	@command -v uv >/dev/null || $(BIN)/python -m pip install --quiet uv \
	  || $(PYTHON) -m pip --python $(BIN)/python install --quiet uv
	@touch $@

# Tests start many processes: compiled once, PyTorch and Ray start seconds faster in each.
$(READY): .venv/.uv requirements.lock pyproject.toml
	$(UV) pip install --python $(BIN)/python --quiet --compile-bytecode --require-hashes -r requirements.lock
	$(UV) pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation -e .
	@touch $@
