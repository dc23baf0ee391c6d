# `make` alone explains itself. Options are given as NAME=value, for example: make test-topology FRR=8.4
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

FRR ?=
K ?=
LAB ?= demo
export FRR_VERSIONS := $(or $(FRR),8.4 10.3)
PYTHON_FILES := frrsync tests tools
SHELL_FILES := .ci/run tools/as-root tools/lock tools/setup
# Root is needed for network namespaces and for FRR's own user; sudo asks once and says so.
AS_ROOT := tools/as-root "make network namespaces and run FRR in them"
PYTEST_OPTIONS := $(if $(FRR),--frr $(FRR)) $(if $(K),-k "$(K)")

##@ Start here

.PHONY: demo
demo: export FRR_VERSIONS := $(or $(FRR),$(DEMO_FRR),10.3)
demo: setup ## a small data centre on this machine: routers, nodes, a Service, a failure (DEMO_ONCE=1 does not wait)
	@$(AS_ROOT) .venv/bin/python -m frrsync.lab.demo --frr $(FRR_VERSIONS)

.PHONY: test
test: setup check ## everything CI runs: check, then the core, golden and topology tests on both FRR versions
	@$(AS_ROOT) .venv/bin/python tools/run_tests.py core golden topology -- $(PYTEST_OPTIONS)

##@ While you work

.PHONY: setup
setup: ## system tools (apt, Debian 12 and 13), .venv and the FRR roots; quick when there is nothing to do
	@tools/setup

.PHONY: check
check: python ## ruff, mypy, import rules, template and shell checks; seconds
	@echo "ruff"; .venv/bin/ruff check $(PYTHON_FILES); .venv/bin/ruff format --check --quiet $(PYTHON_FILES)
	@echo "mypy"; .venv/bin/mypy --no-error-summary
	@echo "import rules"; .venv/bin/lint-imports --config pyproject.toml >.venv/import-rules.log || { cat .venv/import-rules.log; exit 1; }
	@echo "j2lint"; .venv/bin/j2lint templates
	@echo "shellcheck"; .venv/bin/shellcheck $(SHELL_FILES)

.PHONY: fmt
fmt: python ## put imports and lines into their form
	@.venv/bin/ruff check --select I --fix $(PYTHON_FILES)
	@.venv/bin/ruff format $(PYTHON_FILES)

##@ Tests one by one (FRR=8.4 or 10.3 chooses a version, K=word the tests)

.PHONY: test-core
test-core: python ## decisions, rendering, files, commands: Python only, no root; minutes
	@.venv/bin/python tools/run_tests.py core -- $(if $(K),-k "$(K)")

.PHONY: test-golden
test-golden: setup ## manifests to frr.conf, loaded by real FRR and read back
	@$(AS_ROOT) .venv/bin/python tools/run_tests.py golden -- $(PYTEST_OPTIONS)

.PHONY: test-topology
test-topology: setup ## networks in namespaces, judged at the routers
	@$(AS_ROOT) .venv/bin/python tools/run_tests.py topology -- $(PYTEST_OPTIONS)

.PHONY: soak
soak: setup ## the long figures: thousands of random changes; tens of minutes
	@$(AS_ROOT) .venv/bin/python tools/run_tests.py soak -- --timeout 7200 $(PYTEST_OPTIONS)

.PHONY: bench
bench: setup ## measure from manifest to route, and the time of an apply beside frr-reload.py (QUICK=1: small)
	@$(AS_ROOT) env PYTHONPATH=tests .venv/bin/python -m bench.run $(if $(FRR),--frr $(FRR)) $(if $(QUICK),--quick)

##@ The lab (LAB=file or name chooses another topology than the demo's)

.PHONY: lab-up lab-status lab-down
lab-up: setup ## start the lab and leave it running
	@$(AS_ROOT) .venv/bin/frrsync lab up $(LAB)
lab-status: python ## what runs in it
	@$(AS_ROOT) .venv/bin/frrsync lab status $(basename $(notdir $(LAB)))
lab-down: python ## stop it and remove everything it made
	@$(AS_ROOT) .venv/bin/frrsync lab down $(basename $(notdir $(LAB)))

##@ House

.PHONY: lock
lock: python ## write the lock files from pyproject.toml (UPGRADE=1 takes the newest of everything)
	@tools/lock $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove .venv and what the tools left here; the FRR roots in the cache stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build
	@find frrsync tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: python
python:
	@tools/setup python

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
