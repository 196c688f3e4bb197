# One-word targets. `make demo` and `make test` do everything on a fresh machine.
.PHONY: setup demo test lint bench clean
.DEFAULT_GOAL := setup

PYTHON ?= python3
BIN := .venv/bin

setup: .venv/.installed

.venv/.installed: pyproject.toml
	@.ci/packages demo
	@echo "sm-ssh: making .venv" >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/python docs/demo/demo.py

test: setup
	@.ci/packages test
	@.ci/engine
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 4 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run .ci/packages .ci/engine entrypoint/sm-ssh-entry; \
	else echo "sm-ssh: shellcheck is not installed; shell scripts were not checked" >&2; fi

bench: setup
	@$(BIN)/python -m tests.bench

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
