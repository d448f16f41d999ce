# Every task of this project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SCALE ?= 1m
DEMO ?= 1

export PYTHONPATH := src

.DEFAULT_GOAL := help
.PHONY: help run test check format schema openapi pictures bench year mutants fuzz up down lock clean

help: ## list these targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What is simulated is off unless the environment sets it.
OWN_DATA := --set NIGHTAUDIT_DEMO=0 \
	  --secret PROVIDER_ADMIN_PASSWORD --secret PROVIDER_JWT_SECRET --secret DASHBOARD_STAFF_TOKEN --secret DASHBOARD_ALERT_SECRET \
	  --secret PROVIDER_ACCOUNTING_SECRET,DASHBOARD_ACCOUNTING_SECRET \
	  --set PROVIDER_GENERATOR_RATE=0 --set PROVIDER_STORES_RATE=0 --set PROVIDER_DINERS_RATE=0 \
	  $(if $(DASHBOARD_STORES_URL),,--set DASHBOARD_STORES_SECONDS=0)
DEMO_DATA := --set DASHBOARD_STORES_SECONDS=60 --set PROVIDER_DINERS_RATE=90 \
	  --set PROVIDER_GENERATOR_RATE=4 --set PROVIDER_GENERATOR_YEARS=3 \
	  --set PROVIDER_GENERATOR_HOTELS=8 --set PROVIDER_GENERATOR_ROOMS=60

# The simulated hotels get their names and rooms only where the dashboard counts no others.
OWN_PROVIDER := http://127.0.0.1:$(or $(PROVIDER_PORT),9000)
OTHER_FEEDS := $(DASHBOARD_FEEDS)$(filter-out $(OWN_PROVIDER),$(DASHBOARD_PROVIDER_URL))
SIMULATED := $(if $(OTHER_FEEDS)$(filter 0,$(PROVIDER_GENERATOR_RATE)),,$(or $(PROVIDER_GENERATOR_HOTELS),8))
DEMO_DATA += $(if $(SIMULATED),--set 'DASHBOARD_DEMO_HOTELS=$(SIMULATED)' \
	  --set 'DASHBOARD_DEMO_ROOMS=$(or $(PROVIDER_GENERATOR_ROOMS),60)')

SHOWN := --show 'morning=http://{dashboard}/'
ifneq ($(DEMO),0)
SHOWN += $(if $(SIMULATED),--show 'a hotel=http://{dashboard}/board/hotels/1')
SHOWN += --show 'front desk$(if $(DASHBOARD_STAFF_TOKEN),, (token: staff))=http://{dashboard}/front-desk'
else
SHOWN += --show 'front desk=http://{dashboard}/front-desk'
endif
SHOWN += --show 'stores=http://{dashboard}/board/stores' --show 'API=http://{dashboard}/docs' \
	  --show 'book a table=http://{provider}/book' \
	  --show 'provider=http://{provider}/' --show 'API of the provider=http://{provider}/docs'
ifneq ($(DEMO),0)
SHOWN += $(if $(PROVIDER_SMTP_URL),,--show 'inbox of the guests=http://{provider}/inbox')
endif

run: $(VENV)/.runtime ## run PostgreSQL, provider and dashboard here with simulated hotels (DEMO=0: for your own data); Ctrl-C stops them all
	@exec $(BIN)/python -m common.devstack.supervisor provider:9000 dashboard:8000 \
	  $(if $(filter 0,$(DEMO)),$(OWN_DATA),$(DEMO_DATA)) $(SHOWN) \
	  --set PROVIDER_LOG_LEVEL=error --set DASHBOARD_LOG_LEVEL=error \
	  --set 'PROVIDER_PUBLIC_URL=http://{provider}' \
	  --set 'PROVIDER_ACCOUNTING_URL=http://{dashboard}/front-desk' \
	  --set 'DASHBOARD_PROVIDER_URL=http://{provider}' \
	  --set 'DASHBOARD_OFFERS_URL=$(if $(filter 0,$(DEMO)),none,http://{provider}/api/v1)' \
	  --set 'DASHBOARD_STORES_URL=http://{provider}/stores'

test: $(VENV)/.development ## run all tests on an embedded PostgreSQL, with coverage (ARGS=tests/common: only those)
	@$(BIN)/python -m pytest -n auto --dist worksteal $(or $(ARGS),--cov --cov-report=)

check: $(VENV)/.development ## check format, style, types, imports, SQL, deployment files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/sqlfluff lint --disable-progress-bar src/common/db src/provider/migrations src/dashboard/migrations
	$(BIN)/hadolint docker/Dockerfile heroku.Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/compose-lint check --quiet --skip-suppressed --no-env --fail-on low \
	  --strict-config --config docker/compose-lint.yml docker-compose.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/check.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/shellcheck .ci/run docker/postgres/nodes.sh
	$(BIN)/python -m docker.check

format: $(VENV)/.development ## format the source and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(VENV)/.runtime ## write src/*/schema.sql from the migrations
	@$(BIN)/python -m common.devstack.dump_schema src/provider src/dashboard

openapi: $(VENV)/.development ## write openapi/*.json from the code
	@$(BIN)/python -m tests.support.openapi_documents

pictures: $(VENV)/.development ## take the pictures of README, of one fixed day of the simulated hotels
	@$(BIN)/python -m docs.take_pictures

bench: $(VENV)/.development ## run the benchmarks (SCALE=100m: large tables; ONLY=name: one; AGAINST=/other/checkout: compare)
	@$(BIN)/python -m benchmarks --scale $(SCALE) $(if $(ONLY),--only $(ONLY)) $(if $(AGAINST),--against $(AGAINST))

year: $(VENV)/.development ## send a year's load within an hour, with retention on (SHARE=0.01: a short run)
	@$(BIN)/python -m benchmarks.year --share $(or $(SHARE),1)

mutants: $(VENV)/.development ## change the product in small ways and see which no test notices (ARGS="--module dashboard/bookings")
	@$(BIN)/python -m tests.mutants $(ARGS)

fuzz: $(VENV)/.development ## send hostile files and requests, 20,000 of each (ARGS="--number 1000 --seed 7")
	@$(BIN)/python -m tests.fuzz $(ARGS)

up: ## run the system with docker compose
	@docker compose version >/dev/null 2>&1 || \
	  { echo "nightaudit: make up needs Docker with its compose plugin (docker compose); make run needs neither" >&2; exit 1; }
	docker compose up --build --detach --wait

down: ## stop the system of make up (the data stays in its volume)
	docker compose down

LOCK = $(BIN)/uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

lock: $(VENV)/.development ## pin the dependencies of pyproject.toml (UPGRADE=1: at their newest versions)
	$(LOCK) --extra devstack --output-file requirements/runtime.txt
	$(LOCK) --constraint requirements/runtime.txt --output-file requirements/container.txt
	$(LOCK) --constraint requirements/runtime.txt --extra devstack --group development \
	  --output-file requirements/development.txt

clean: ## remove the virtual environment and caches, but not the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "nightaudit: needs Python 3.11 or newer; choose one with make PYTHON=python3.x" >&2; exit 1; }
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
