# make demo, make test: on a fresh Debian machine they install what they need, then run. `make help` lists all.
SHELL := /bin/bash
PYTHON ?= /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait for a process rather than compute; those that need the machine to themselves get it (tests/alone.py).
PROCESSES ?= 4
STAMP := $(VENV)/.ready
UV_LOCK = $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
  --no-emit-index-url --no-emit-find-links --upgrade

.PHONY: help setup demo test test-host chaos check bench deb lock clean
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Debian packages, virtual environment, locked dependencies

$(STAMP): packaging/locks/dev.txt packaging/locks/build.txt packaging/install-debian-packages
	@packaging/install-debian-packages
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install -q --require-hashes -r packaging/locks/build.txt
	$(BIN)/pip install -q --require-hashes --no-build-isolation -r packaging/locks/dev.txt
	$(BIN)/pip install -q --no-build-isolation --no-deps -e .
	@touch $@

demo: $(STAMP) ## the whole suite against a mock Mastodon full of planted spam; ONCE=1 ends by itself
	@$(BIN)/python -m tests.demo $(if $(ONCE),--once)

test: $(STAMP) ## unit, contract, integration, browser and chaos tests, on a real Redis, Mastodon mock and Chromium
	@$(BIN)/python -m pytest --numprocesses=$(PROCESSES) $(ARGS)

chaos: $(STAMP) ## kill workers, Redis and schedulers again and again, here and under stock RQ; about half an hour
	@CHAOS=long $(BIN)/python -m tests.chaos
	@CHAOS=long $(BIN)/python -m pytest -q -s tests/chaos/test_schedulers.py

check: $(STAMP) ## lint, format, types, import contract
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: $(STAMP) ## the figures that README states; ten minutes or so
	@$(BIN)/python -m benchmarks.rules
	@$(BIN)/python -m benchmarks.filing
	@$(BIN)/python -m benchmarks.webhooks
	@$(BIN)/python -m benchmarks.dashboard
	@$(BIN)/python -m benchmarks.load --quick
	@$(BIN)/python -m benchmarks.queue

deb: ## the Debian package, dist/mastowatch_*_amd64.deb; wheels are fetched once, the build is without a network
	@packaging/install-debian-packages python3-venv
	@wheels=$$(packaging/fetch-wheels) && packaging/build-deb "$$wheels"

test-host: $(STAMP) deb ## the package on booted Debian 12 and 13; needs root. RELEASE=trixie for one, ARGS for pytest
	@$(BIN)/python -m tests.host $(if $(RELEASE),--release $(RELEASE)) $(ARGS)

lock: $(STAMP) ## pin and hash the newest allowed versions
	$(BIN)/pip install -q uv
	$(UV_LOCK) packaging/locks/build.in -o packaging/locks/build.txt
	$(UV_LOCK) pyproject.toml -o packaging/locks/run.txt
	$(UV_LOCK) pyproject.toml --group dev -o packaging/locks/dev.txt

clean: ## the virtual environment and what builds leave
	rm -rf $(VENV) .venv-bench .venv-bench-dashboard build dist .coverage htmlcov
