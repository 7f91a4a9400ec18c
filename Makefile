# `make run` serves the hub, `make demo` with something in it, `make test` runs every test. Needs Python 3.11 or newer and a package index, nothing else.

BIN := .venv/bin
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: run demo check lint types test test-postgres test-citus test-sdk bench pictures vendor format clean

run: .venv/.run
	@exec $(BIN)/hub serve

demo: .venv/.run
	@$(BIN)/hub demo && exec $(BIN)/hub serve

check: lint types test

lint: .venv/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/.dev
	$(BIN)/mypy

test: .venv/.dev
	$(BIN)/pytest -n auto --dist loadgroup

# What needs a database, once more on other servers than the bundled one.
test-postgres: .venv/.dev
	$(BIN)/python -m tests.with_postgres $(BIN)/pytest -n auto --dist loadgroup -m database

CITUS_CLUSTER ?= ../shared/peers/citus/cluster.py

test-citus: .venv/.dev
	CITUS_CLUSTER=$(CITUS_CLUSTER) $(BIN)/python -m tests.with_postgres --citus $(BIN)/pytest -n 3 --dist loadgroup -m database

# The official TypeScript SDK against this hub; needs Node and npm.
test-sdk: .venv/.dev
	$(BIN)/python -m tests.sdk

# All of it takes half an hour; each part says what it misses.
bench: .venv/.dev
	@missed=0; for part in benchmarks benchmarks.analytics benchmarks.search benchmarks.exports; do \
		$(BIN)/python -m tests.$$part || missed=1; \
	done; exit $$missed

# The pictures of the documentation and the numbers of the README, from the demo; needs Debian's chromium and fonts-inter.
pictures: .venv/.dev
	$(BIN)/python -m tests.dashboard.pictures

# Swagger UI as npm has it, for /docs, and axe-core, which tests the page. After a change of a version: new sums into SHA512SUMS,
# and a look at the page.
SWAGGER_UI := 5.35.0
AXE := 4.14.1

vendor:
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
	tar xzf "$$(npm pack --silent swagger-ui-dist@$(SWAGGER_UI))" && cd package && \
	mv LICENSE swagger-ui.LICENSE && mv NOTICE swagger-ui.NOTICE && \
	sha512sum --check "$(CURDIR)/hub/assets/SHA512SUMS" && \
	cp $$(sed 's/.* //' "$(CURDIR)/hub/assets/SHA512SUMS") "$(CURDIR)/hub/assets"
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && cd "$$folder" && \
	tar xzf "$$(npm pack --silent axe-core@$(AXE))" && cd package && \
	sha512sum --check "$(CURDIR)/tests/dashboard/axe/SHA512SUMS" && \
	cp $$(sed 's/.* //' "$(CURDIR)/tests/dashboard/axe/SHA512SUMS") "$(CURDIR)/tests/dashboard/axe"

format: .venv/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# The data in .data stays.
clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find hub tests -name __pycache__ -type d -prune -exec rm -rf {} +

# Editable, so that a change of the code needs no new installation.
.venv/.run: pyproject.toml Makefile | .venv/bin/python
	@echo "Installing into .venv; this takes a moment, the first time only."
	@$(call install,.[parquet])
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	@$(call install,.[dev])
	@touch $@ .venv/.run

install = if command -v uv >/dev/null; then uv pip install --quiet --python $(BIN)/python --editable '$(1)'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '$(1)'; fi

.venv/bin/python:
	@if command -v uv >/dev/null; then exec uv venv --quiet --clear --python '>=3.11' .venv; fi; \
	for python in $(PYTHONS); do \
		if command -v $$python >/dev/null && $$python -c '$(NEW_ENOUGH)' 2>/dev/null; then \
			$$python -m venv --clear .venv && exit 0; \
			echo "$$python cannot make a virtual environment: on Debian and Ubuntu, apt install python3-venv. Or install uv." >&2; \
			rm -rf .venv; exit 1; \
		fi; \
	done; \
	echo "The hub needs Python 3.11 or newer, and none of these is it: $(PYTHONS). Install one, or uv." >&2; exit 1
