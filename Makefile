SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.SUFFIXES:

PY := .venv/bin/python
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install -qq --no-input
# The suite never depends on what the caller's shell points at.
ISOLATED := env -u DATABASE_URL -u REDIS_URL
PYTEST := $(PY) -m pytest -n auto
TYPED := keys billing routing audit proxy console gateway_project tests bench
CHECKS := check-format check-lint check-types check-imports check-django check-migrations check-locks

.PHONY: help setup run demo test check $(CHECKS) services test-services e2e test-all chaos bench screenshots messages lock

help: ## show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 18

setup: .venv/.project ## make .venv from the hashed lock
	@echo "Ready: make run starts Tallygate."

run: .venv/.project ## start on http://127.0.0.1:4000 (make run ARGS="--port 5000")
	@exec .venv/bin/tallygate serve $(ARGS)

demo: .venv/.project ## make run with two organisations and sixty days of traffic to look at
	@TALLYGATE_HOME="$${TALLYGATE_HOME:-$(CURDIR)/var/demo}" .venv/bin/tallygate seed-demo
	@TALLYGATE_HOME="$${TALLYGATE_HOME:-$(CURDIR)/var/demo}" exec .venv/bin/tallygate serve $(ARGS)

test: .venv/.dev ## fast suite: SQLite, no services
	@echo "Fast suite on SQLite."
	@$(ISOLATED) $(PYTEST) -m "not services and not e2e"

check: .venv/.dev ## static: format, lint, types, import contracts, Django, migrations, locks
	@$(MAKE) --keep-going $(CHECKS)

services: ## throw-away PostgreSQL and Redis to develop with, until Ctrl-C
	@.ci/services

test-services: .venv/.dev ## database and Redis tests on throw-away servers
	@echo "Database and Redis tests on throw-away servers."
	@.ci/unless-skipped .ci/services $(PYTEST) -p tests.database_only -m "not e2e"

e2e: .venv/.dev ## tests that drive real clients from npm
	@echo "Real clients."
	@$(ISOLATED) .ci/unless-skipped .ci/e2e $(PY) -m pytest -m e2e

test-all: ## everything: test, services, e2e
	@$(MAKE) test
	@$(MAKE) test-services
	@$(MAKE) e2e

chaos: .venv/.dev ## kill -9 under load for a minute, then the ledger against the provider's bill (make chaos ARGS="--seconds 10")
	@$(ISOLATED) $(PY) -m tests.chaos $(ARGS)
	@.ci/unless-skipped .ci/services $(PY) -m tests.chaos --database postgres $(ARGS)

bench: .venv/.dev ## side-by-side benchmarks, prints ratios
	@$(PY) -m bench

screenshots: .venv/.dev ## pictures of every page into docs/screenshots (needs Chromium)
	@$(ISOLATED) $(PY) -m tests.screenshots $(ARGS)

messages: .venv/.dev ## gather the texts of pages and compile their translations; lists what wants one
	@$(ISOLATED) $(PY) -m tests.messages

lock: .venv/.dev ## write the locks anew (make lock ARGS=--upgrade)
	@.ci/lock $(ARGS)

check-format:
	@echo "Format."
	@.venv/bin/ruff format --quiet --check .
check-lint:
	@echo "Lint."
	@.venv/bin/ruff check --quiet .
check-types:
	@echo "Types."
	@.venv/bin/mypy --no-error-summary $(TYPED)
check-imports:
	@echo "Import contracts."
	@report=$$(.venv/bin/lint-imports --no-logo --no-cache) || { echo "$$report"; exit 1; }
check-django:
	@echo "Django's checks."
	@$(ISOLATED) DJANGO_SETTINGS_MODULE=gateway_project.settings_test $(PY) manage.py check --verbosity 0
check-migrations:
	@echo "Migrations."
	@$(ISOLATED) DJANGO_SETTINGS_MODULE=gateway_project.settings_test $(PY) manage.py makemigrations --check --dry-run --verbosity 0
check-locks:
	@echo "Locks."
	@.ci/lock --check

# Stamps: each says what .venv was made from, so that a second run starts at once.
.venv/bin/python:
	@.ci/venv
.venv/.runtime: .venv/bin/python requirements.lock
	@echo "Installing requirements.lock (a minute or two the first time)."
	@$(PIP) --only-binary :all: --require-hashes -r requirements.lock
	@touch $@
.venv/.project: .venv/.runtime pyproject.toml
	@echo "Installing Tallygate."
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@
.venv/.dev: .venv/.project requirements-dev.lock
	@echo "Installing requirements-dev.lock."
	@$(PIP) --only-binary :all: --require-hashes -r requirements-dev.lock
	@touch $@
