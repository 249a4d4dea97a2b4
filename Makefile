# Every verb works on a fresh machine with make and python3 (3.11 or newer).

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
LOCK := .ci/requirements.lock
WAREHOUSE := $(or $(EVALWH_WAREHOUSE),data/warehouse.duckdb)
CORE := $(VENV)/core.stamp
DEV := $(VENV)/dev.stamp
FAILED := $(VENV)/build.failed
SQL := models analyses tests/warehouse warehouse/macros warehouse/migrations inference/benchmarks
YAML := models analyses warehouse/macros warehouse/seeds $(wildcard *.yml .*.yaml .yamllint)
SGLANG := .venv-sglang
# Pages do their work when they are imported; dbt models are documented by dbt.
API := app '!app.main' '!app.views' inference warehouse \
	$(subst /,.,$(basename $(wildcard models/estimation/*.py)))
# -qq: warnings about the machine's own pip settings would bury what matters; errors still show.
INSTALL := $(BIN)/python -m pip install -qq -c $(LOCK) -e

export DBT_PROFILES_DIR := warehouse
export DBT_TARGET_PATH := warehouse/target
export DBT_LOG_PATH := warehouse/logs
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help run build app test test-fast test-faults test-statistics test-sglang check docs figure \
	findings records lock clean

help: ## List these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

run: build ## Install, build the warehouse and print the report
	@echo
	@$(BIN)/evalwh report

# What passed or took no work is left out of the list. A pipe hides dbt's exit code: hence the file.
build: $(CORE) ## Install, load and measure the demonstration answers, and run `dbt build`
	@rm -f $(FAILED)
	@$(BIN)/evalwh load --keep warehouse/demo
	@$(BIN)/evalwh measure || echo "Going on without: generated programs will have no score."
	@echo "Building $(WAREHOUSE) ..."
	@{ $(BIN)/dbt --no-use-colors build || touch $(FAILED); } \
		| grep --line-buffered -v -E ' (START|PASS|NO-OP|SKIP test) |:[0-9]+  $$'
	@test ! -e $(FAILED)

app: $(CORE) ## Open the app on this machine, after building the warehouse if there is none
	@test -e "$(WAREHOUSE)" || $(MAKE) --no-print-directory build
	@$(BIN)/streamlit run app/main.py --server.address 127.0.0.1

test: $(DEV) ## Run the tests, on two workers (WORKERS=2)
	@$(BIN)/pytest -n $(WORKERS)

test-fast: $(DEV) ## Run the tests that take less than a second each: under a minute
	@$(BIN)/pytest -n $(WORKERS) -m 'not slow'

test-faults: $(DEV) ## Kill, fill, damage and double everything, and count what is lost: about 20 minutes
	@$(BIN)/python -m tests.faults --workers $(WORKERS)

# One thread each: the matrices are small, and there is a worker for each core.
test-statistics: $(DEV) ## Simulate how often every interval holds the truth: about 15 minutes
	@test -e "$(WAREHOUSE)" || $(MAKE) --no-print-directory build
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.statistics --workers $(WORKERS)

test-sglang: $(DEV) ## Set up a real SGLang server on the CPU and test against it
	@bash tests/sglang/environment.sh $(SGLANG)
	@EVALWH_SGLANG_PYTHON=$(SGLANG)/bin/python $(BIN)/pytest tests/sglang

check: $(DEV) ## Lint Python, SQL and YAML, check types, parse the dbt project
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/sqlfluff lint --disable-progress-bar $(SQL)
	$(BIN)/yamllint --strict $(YAML)
	$(BIN)/dbt --quiet --warn-error --no-partial-parse parse

# pdoc evaluates annotations that only the type checker ever sees, and warns of each.
docs: $(DEV) ## Write the documentation: of every table into one HTML file, of the code into a folder
	@test -e "$(WAREHOUSE)" || $(MAKE) --no-print-directory build
	@$(BIN)/dbt --quiet docs generate --static
	@$(BIN)/python -W 'ignore:Error parsing type annotation' -m pdoc --docformat google \
		--output-directory $(DBT_TARGET_PATH)/api $(API)
	@echo "Open $(DBT_TARGET_PATH)/static_index.html (tables) and" \
		"$(DBT_TARGET_PATH)/api/index.html (code) in a browser."

figure: $(DEV) ## Draw the README's figure anew from the marts
	@test -e "$(WAREHOUSE)" || $(MAKE) --no-print-directory build
	@$(BIN)/python -m app.figure analyses/japanese_ability_and_compute.svg

findings: $(DEV) ## Write the README's verdicts anew from the marts
	@test -e "$(WAREHOUSE)" || $(MAKE) --no-print-directory build
	@$(BIN)/python -m app.findings README.md

records: $(CORE) ## Write what dbt is told of the raw store anew, from warehouse/records.py
	@$(BIN)/python -m warehouse.record_docs

lock: $(VENV)/bin/python ## Resolve all dependencies anew into .ci/requirements.lock
	@echo "Resolving the dependencies in a new environment ..."
	@rm -rf $(VENV)/lock && $(PYTHON) -m venv $(VENV)/lock
	@# DuckDB stays where its extensions install from the package registry, on a closed network too.
	@$(VENV)/lock/bin/python -m pip install -qq -e '.[dev]' 'duckdb==1.5.5'
	@{ sed -n '/^#/p' $(LOCK); $(VENV)/lock/bin/python -m pip freeze --exclude-editable; } \
		> $(VENV)/requirements.lock
	@! grep -vE '^(#|[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+$$)' $(VENV)/requirements.lock
	@mv $(VENV)/requirements.lock $(LOCK) && rm -rf $(VENV)/lock
	@echo "Wrote $(LOCK)."

clean: ## Remove everything that can be made again, the warehouse included
	rm -rf $(VENV) $(SGLANG) warehouse/target warehouse/logs warehouse/dbt_packages *.egg-info build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf data/warehouse.duckdb data/warehouse.duckdb.* data/.app
	find app inference models tests warehouse -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
		echo "evalwh needs Python 3.11 or newer, and $(PYTHON) is" \
			"$$({ $(PYTHON) --version || echo missing; } 2> /dev/null). Name another one:" \
			"make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." \
			"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(CORE): pyproject.toml $(LOCK) | $(VENV)/bin/python
	@echo "Installing evalwh and what it needs into $(VENV) (once; a minute or two) ..."
	@$(INSTALL) .
	@touch $@

$(DEV): pyproject.toml $(LOCK) | $(VENV)/bin/python
	@echo "Installing evalwh and its development tools into $(VENV) (once; a minute or two) ..."
	@$(INSTALL) '.[dev]'
	@touch $(CORE) $@
