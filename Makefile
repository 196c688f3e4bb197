# One-word targets. `make demo` and `make test` do everything on a fresh machine.
.PHONY: setup demo images test lint bench clean
.DEFAULT_GOAL := setup

PYTHON ?= python3
BIN := .venv/bin
# uv does in seconds what takes pip a minute. It knows nothing of pip's own settings: where it fails, pip is there.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/pytest -n 4 --dist loadfile

setup: .venv/.installed

.venv/.installed: pyproject.toml
	@.ci/packages demo
	@echo "sm-ssh: making .venv" >&2
	@$(PYTHON) -m venv .venv
	@$(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[dev]' 2>/dev/null || \
	$(PIP) --editable '.[dev]'
	@touch $@

demo: setup
	@.ci/demo-image $$($(BIN)/python docs/demo/demo.py --images)
	@$(BIN)/python docs/demo/demo.py

# AGENT=auto|official|stand-in REGISTRY=PREFIX/ GROUP=default|test|release; docker-bake.hcl names what else can be set.
images: setup
	@.ci/packages images
	@.ci/engine
	@.ci/images $(or $(GROUP),default)
	@$(BIN)/sm-ssh image sizes --group $(or $(GROUP),default)

# With an engine, tests run on images that were built for them, so none of those tests may be missing then.
test: setup
	@.ci/packages test
	@.ci/sdks
	@.ci/engine
	@$(MAKE) --no-print-directory lint
	@if ! docker info >/dev/null 2>&1; then exec $(PYTEST); fi; \
	REGISTRY=sm-ssh-test/ ARTIFACTS=images/artifacts-test AGENT=stand-in AWS_CLI=debian PACKAGES=--packages .ci/images test && \
	SM_SSH_IMAGES_REQUIRED=1 SM_SSH_SDKS_REQUIRED=1 exec $(PYTEST)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@.ci/lint shellcheck
	@.ci/lint hadolint

bench: setup
	@$(BIN)/python -m tests.bench

clean:
	rm -rf .venv .sdk .pytest_cache .mypy_cache .ruff_cache
