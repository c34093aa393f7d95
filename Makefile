# The commands of this repository. Everything they make stays in this folder; nothing global is changed.
#
#   make demo    set up, then watch paid jobs run against a provider and see every credit accounted for
#   make test    set up, then lint and run every test (ARGS="-k refund" goes to pytest)
#   make bench   set up, then measure paid jobs against pgbench on this machine (ARGS="--seconds 5")
#   make soak    the long form of the tests that search: more random stories, every crash point
#   make chaos   10,000 paid jobs while everything goes wrong at once (ARGS="--jobs 1000 --seed 2")
#   make client  write the OpenAPI document, its page and the TypeScript client anew (needs Node and npm)
#   make docs    write the documentation as a site into dist/docs, and refuse it with a broken link
#   make lint    style, types, import rules and unsafe code only
#   make audit   ask for known vulnerabilities of everything that is installed; needs the network
#   make setup   .venv with the console script `makegood`; does nothing when it is up to date
#   make clean   remove what the commands above made
#
# PYTHON=/path/to/python chooses the interpreter; UV= (empty) uses pip even where uv is installed.

SHELL := /bin/sh
BIN := .venv/bin
STAMP := .venv/.set-up-$(shell pwd | cksum | cut -d" " -f1)
NEW_ENOUGH := import sys; assert sys.version_info >= (3, 11)
ifeq ($(origin UV),undefined)
UV := $(shell command -v uv 2>/dev/null)
endif
SOURCES := engine adapters tests docs/build.py docs/examples

# A host's Python environment must not leak into ours: these break or redirect an install.
unexport PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV
# A process that may not keep its bytecode compiles all modules anew: half a second, and tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: client docs help setup demo test soak bench chaos lint audit clean

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

setup: $(STAMP)
	@echo "makegood: ready, $(BIN)/makegood is installed"

demo: $(STAMP)
	@$(BIN)/makegood demo $(ARGS)

test: lint
	@$(BIN)/pytest -q -n logical --maxprocesses 8 --dist worksteal --durations 10 $(ARGS)

bench: $(STAMP)
	@$(BIN)/makegood bench all $(ARGS)

chaos: $(STAMP)
	@$(BIN)/makegood chaos $(ARGS)

soak: $(STAMP)
	@$(BIN)/pytest -q -n logical --maxprocesses 8 --dist worksteal --soak -m soak $(ARGS)

lint: $(STAMP)
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --quiet --check $(SOURCES)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@$(BIN)/bandit --quiet --recursive --severity-level high engine adapters

# Strict: what could not be asked about is a failure, not a pass. Nothing is resolved or installed for it.
audit: $(STAMP)
	@if [ -n "$(UV)" ]; then "$(UV)" pip freeze --python $(BIN)/python --exclude-editable; \
	else $(BIN)/python -m pip freeze --exclude-editable; fi >.venv/installed.txt
	@$(BIN)/pip-audit --progress-spinner off --strict --disable-pip --no-deps --requirement .venv/installed.txt

client: $(STAMP)
	@$(BIN)/makegood openapi --output docs/reference/openapi.json
	@$(BIN)/makegood openapi --format md --output docs/reference/api-operations.md
	@cd clients/typescript && npm ci --ignore-scripts --no-audit --no-fund && npm run --silent generate

docs: $(STAMP)
	@$(BIN)/python -m docs.build

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist makegood-demo
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an interrupted set-up is begun again; its name holds the path of this folder,
# because the scripts in a .venv that was copied or moved would still run the old one.
$(STAMP): pyproject.toml
	@began=$$(date +%s); python=; lacking=; \
	ls .venv/.set-up-* 2>/dev/null | grep -qvx "$@" && rm -rf .venv; rm -f $@; \
	for name in $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3 python); do \
	    "$$name" -c '$(NEW_ENOUGH)' >/dev/null 2>&1 || continue; \
	    if [ -n "$(UV)" ] || "$$name" -c 'import ensurepip, venv' >/dev/null 2>&1; \
	    then python=$$name; break; else lacking=$$name; fi; \
	done; \
	if [ -n "$(UV)" ]; then \
	    echo "makegood: setting up .venv with uv (once; usually 5 to 30 seconds) ..."; \
	elif [ -n "$$python" ]; then \
	    echo "makegood: setting up .venv with $$("$$python" --version) and pip (once; usually 20 to 90 seconds) ..."; \
	elif [ -n "$$lacking" ]; then \
	    echo "makegood: $$lacking cannot make virtual environments: install its venv module" \
	        "(on Debian and Ubuntu: apt install python3-venv) or uv, then run make again." >&2; exit 1; \
	else \
	    echo "makegood: needs Python 3.11 or newer and found none: install one," \
	        "or name it with make PYTHON=/path/to/python3." >&2; exit 1; \
	fi; \
	if [ -n "$(UV)" ]; then \
	    { $(BIN)/python -c '$(NEW_ENOUGH)' >/dev/null 2>&1 || \
	        { rm -rf .venv; "$(UV)" venv --quiet --python "$${python:->=3.11}" .venv; }; } && \
	    "$(UV)" pip install --quiet --python $(BIN)/python --editable '.[demo,dev]'; \
	else \
	    { $(BIN)/python -c '$(NEW_ENOUGH); import pip' >/dev/null 2>&1 || "$$python" -m venv --clear .venv; } && \
	    $(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[demo,dev]'; \
	fi || { echo "makegood: the set-up failed for the reason above;" \
	        "if it is the network, run make again when it is back." >&2; exit 1; }; \
	touch $@; echo "makegood: .venv is ready after $$(($$(date +%s) - began)) seconds"
