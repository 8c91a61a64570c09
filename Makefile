# Everything a contributor types. `make` alone lists it; tests/cluster says how the cluster is made.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
PY := .venv/bin/python
PORT ?= 8080
LANES ?= 3
# Bytecode is kept, whatever the shell says: a suite starts hundreds of processes of the same code.
unexport PYTHONDONTWRITEBYTECODE
RERUNS ?= 0
CLUSTER := $(PYTHON) -m tests.cluster
# How often a test that failed is asked again, and how many may be: .ci/run does, a developer is to
# see the first failure. The closing line counts them.
AGAIN = --reruns $(RERUNS) --reruns-delay 5 --max-suite-reruns 5 --rerun-show-tracebacks
# Tests wait more than they work: files side by side, the long ones first. The cluster's are one
# lane's work for minutes: begun later, they would be waited for alone. A folder beside the one that
# holds it would be no order: pytest takes the larger one alone.
IN_LANES = -n $(LANES) --dist loadscope --no-loadscope-reorder
LONG := tests/integration/operator
SHORTER := $(filter-out $(LONG) %/conftest.py %/__pycache__,$(wildcard tests/integration/*))
ORDERED := tests/e2e $(LONG) $(SHORTER) tests/unit tests/meta
export PYTHONPATH := operator:app

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: venv
venv: ## make the Python environment; .venv points to it
	@$(CLUSTER) venv

.PHONY: demo
demo: venv ## bring a HSCJit up on a real cluster and show it answering
	@$(PY) -m tests.demo

.PHONY: dev
dev: venv ## run the app alone, without any server: make dev [PORT=8080]
	HSCJIT_NAME=dev HSCJIT_PORT=$(PORT) HSCJIT_LOG_FORMAT=console $(PY) -m hscjit_app.serve

.PHONY: check
check: venv ## lint, formatting, types, who may import whom; writes nothing
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/lint-imports

.PHONY: fix
fix: venv ## let ruff mend what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

.PHONY: test
test: venv cluster-up ## all tests: unit, meta, integration, end to end; in LANES=3 processes
	$(PY) -m pytest $(IN_LANES) $(AGAIN) $(ORDERED)

.PHONY: test-unit
test-unit: venv ## pure code, in seconds
	$(PY) -m pytest -n 2 --dist loadscope tests/unit tests/meta

.PHONY: test-integration
test-integration: venv ## against a real API server, Redis and Postgres
	$(PY) -m pytest $(IN_LANES) $(LONG) $(SHORTER)

.PHONY: test-e2e
test-e2e: venv cluster-up ## on the cluster
	$(PY) -m pytest tests/e2e

.PHONY: bench
bench: ## measure one thing: make bench B=<name>; without B all of them, for hours
	@BENCH=$$($(CLUSTER) venv-bench) && $$BENCH -m tests.bench $(B)

.PHONY: images
images: ## build the images and print their sizes
	@$(CLUSTER) images

.PHONY: cluster-up
cluster-up: ## bring cluster, images and operator up, from whatever state they are in
	@$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## delete the cluster; images and cached builds stay
	@$(CLUSTER) down

.PHONY: lock
lock: ## resolve the dependencies anew: four locks with hashes, one resolution
	@UV=$$($(CLUSTER) uv) && export UV_CUSTOM_COMPILE_COMMAND="make lock" && \
	compile() { $$UV pip compile --quiet --upgrade --python-version 3.11 --generate-hashes \
	  pyproject.toml "$$@"; } && \
	compile --all-extras --group dev --output-file tests/requirements.txt && \
	compile --extra operator --constraint tests/requirements.txt \
	  --output-file operator/requirements.txt && \
	compile --extra app --constraint tests/requirements.txt \
	  --output-file app/requirements.txt && \
	compile --all-extras --group bench --constraint tests/requirements.txt \
	  --output-file tests/bench/requirements.txt

.PHONY: clean
clean: ## delete the cluster, our images, everything cached, and .venv
	@$(CLUSTER) clean
	@if [ -L .venv ]; then rm .venv; fi
	@rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
