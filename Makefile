# Everything that this project can do, by name. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 1m

export PYTHONPATH := src

.DEFAULT_GOAL := help
.PHONY: help run test check format schema bench up down lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.runtime ## PostgreSQL, provider and dashboard on this machine, with simulated hotels; Ctrl-C stops it
	@exec $(BIN)/python -m common.devstack.supervisor provider:9000 dashboard:8000 \
	  --set PROVIDER_LOG_LEVEL=error --set DASHBOARD_LOG_LEVEL=error \
	  --set 'PROVIDER_PUBLIC_URL=http://{provider}' \
	  --set 'PROVIDER_ACCOUNTING_URL=http://{dashboard}/front-desk' \
	  --set 'DASHBOARD_PROVIDER_URL=http://{provider}' \
	  --set 'DASHBOARD_OFFERS_URL=http://{provider}/api/v1' \
	  --set 'DASHBOARD_STORES_URL=http://{provider}/stores'

test: $(VENV)/.development ## the whole test suite on an embedded PostgreSQL
	@$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: $(VENV)/.development ## format, lint, types, import rules, SQL, manifests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --disable-progress-bar src/common/db src/provider/migrations src/dashboard/migrations
	$(BIN)/python -m docker.check

format: $(VENV)/.development ## put the source into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(VENV)/.runtime ## write src/*/schema.sql anew from the migrations
	@$(BIN)/python -m common.devstack.dump_schema src/provider src/dashboard

bench: $(VENV)/.development ## benchmarks, each beside its limit in the same run (SCALE=100m for the large ones, ONLY=name for one)
	@$(BIN)/python -m benchmarks --scale $(SCALE) $(if $(ONLY),--only $(ONLY))

up: ## the same system by docker compose
	docker compose up --build --detach --wait

down: ## stop it again (the data stays in its volume)
	docker compose down

LOCK = cd requirements && ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header

lock: $(VENV)/.development ## pin the dependencies anew from requirements/*.in
	$(LOCK) --upgrade runtime.in --output-file runtime.txt
	$(LOCK) --constraint runtime.txt container.in --output-file container.txt
	$(LOCK) --constraint runtime.txt development.in --output-file development.txt

clean: ## remove the virtual environment and caches (not the data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "nightaudit: Python 3.11 or newer is needed; name it with make PYTHON=python3.x" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "nightaudit: $(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)" >&2; exit 1; }

$(VENV)/.runtime: requirements/runtime.txt | $(VENV)/bin/python
	@echo "nightaudit: installing pinned dependencies"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/python -c 'import pathlib, site; pathlib.Path(site.getsitepackages()[0], "nightaudit.pth").write_text(str(pathlib.Path("src").resolve()))'
	@touch $@

$(VENV)/.development: requirements/development.txt $(VENV)/.runtime
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	@touch $@
