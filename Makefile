# Two commands: `make run` sets everything up and serves; `make test` proves everything.
# Needed beforehand: Python 3.11+ with venv, Node 20+ (for the VS Code extension and its tests), make.

PYTHON ?= python3
MODEL ?= auto
PORT ?= 8700
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Tests share themselves out among the processors; the e2e ring says itself what has to stay together.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 8
# Measuring coverage costs a tenth with Python's own monitoring, and doubles the time without it.
COVERAGE = $(shell $(BIN)/python -c 'import sys; sys.version_info < (3, 12) or print("--cov --cov-report=")')
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
VSIX = vscode-extension/cato-$(VERSION).vsix
# The language server that the extension installs where there is none.
SERVER = vscode-extension/server/cato_lsp-$(VERSION)-py3-none-any.whl

# Compiled once: a ring of tests starts hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test check mypy pyright rooms extension fast contract e2e e2e-model bench figures pictures soak vsix wheel clean

help:  ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: $(VENV)/installed  ## install what is missing, then serve (MODEL=..., PORT=...)
	@echo "==> the engine's own environment"
	@$(BIN)/cato engine install auto
	@echo "==> serving"
	@$(BIN)/cato serve --model $(MODEL) --port $(PORT)

test: check fast contract e2e  ## everything: checks, then the three rings of tests

check: $(VENV)/developing vscode-extension/node_modules/installed  ## format, lint, types, rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@$(MAKE) --no-print-directory --jobs 2 --output-sync mypy pyright rooms extension

# The parts of `check` that take long.
mypy pyright:
	$(BIN)/$@
rooms:
	$(BIN)/lint-imports --no-logo
extension:
	cd vscode-extension && npm run --silent check && npm test --silent

fast: $(VENV)/developing  ## unit and property tests: at most a minute
	COVERAGE_CORE=sysmon $(PYTEST) tests/fast --dist worksteal --durations 5 $(COVERAGE)
	@$(if $(COVERAGE),echo "coverage of statements: $$($(BIN)/coverage report --format total)%",\
	  echo "coverage is measured with Python 3.12 or newer")

contract: $(VENV)/developing  ## LSP and HTTP against started processes: at most 3 minutes
	$(PYTEST) tests/contract --dist worksteal --durations 5

e2e: $(VENV)/developing $(VSIX)  ## real vLLM and real editors: at most 8 minutes
	$(BIN)/cato engine install cpu
	$(PYTEST) tests/e2e --dist loadscope --no-loadscope-reorder --durations 10

e2e-model: $(VENV)/developing  ## the fetched model, served and used: downloads it once
	$(BIN)/cato engine install cpu
	$(BIN)/pytest tests/e2e_model --durations 5

soak: $(VENV)/developing  ## long fuzzing and chaos: about two hours on two cores
	CATO_FUZZ_EDITS=1000000 $(BIN)/pytest tests/fast/lsp/test_document_fuzz.py --timeout 3600
	CATO_FUZZ_PLACES=20000 $(BIN)/pytest tests/fast/lsp/test_sources.py --timeout 3600
	CATO_FUZZ_LSP_EDITS=100000 $(BIN)/pytest tests/contract/lsp/test_fuzz.py
	CATO_EXAMPLES=5000 $(PYTEST) tests/fast/scheduling --dist worksteal --timeout 3600
	$(BIN)/pytest tests/soak -s

figures: $(VENV)/developing  ## bench/README.md and the tables of the documents, from bench/results
	$(BIN)/python -m bench.report

pictures: $(VENV)/developing  ## the pictures of the README, from the end-to-end tests in both editors
	$(BIN)/python -m tests.e2e.pictures

bench: $(VENV)/developing  ## every benchmark, one after another: about two hours
	$(BIN)/python -m bench.first_run
	$(BIN)/python -m bench.document_edits
	$(BIN)/python -m bench.lsp_startup
	$(BIN)/python -m bench.lsp_latency
	$(BIN)/python -m bench.lsp_answers
	$(BIN)/python -m bench.suggestion_ends
	$(BIN)/python -m bench.gateway
	$(BIN)/python -m bench.embedded_serving
	$(BIN)/python -m bench.decisions
	$(BIN)/python -m bench.fair_shares
	$(BIN)/python -m bench.agents_beside_typing
	$(BIN)/python -m bench.isolation
	$(BIN)/python -m bench.arena
	$(BIN)/python -m bench.developers
	$(BIN)/python -m bench.prediction
	$(BIN)/python -m bench.forecast
	$(BIN)/python -m bench.placement
	$(BIN)/python -m bench.workflows
	$(BIN)/python -m bench.beside_tasks
	$(BIN)/python -m bench.typing.quick
	$(BIN)/python -m bench.typing
	$(BIN)/python -m bench.emulator_fidelity
	$(BIN)/python -m bench.peers

vsix: $(VSIX)  ## the VS Code extension as a package to install

wheel: $(VENV)/developing  ## the Python distribution
	$(BIN)/python -m build --wheel

clean:  ## remove what was built here (engines and editors stay in the user's cache)
	rm -rf $(VENV) dist build tests/artifacts
	rm -rf vscode-extension/dist vscode-extension/server vscode-extension/node_modules
	rm -f vscode-extension/*.vsix
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "==> making $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { echo "venv is missing: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(VENV)/installed: pyproject.toml | $(BIN)/python
	@echo "==> installing CATO into $(VENV) (about a minute the first time)"
	@$(PIP) install --quiet --upgrade "pip>=25.1"
	@$(PIP) install --quiet --editable '.[serve]'
	@touch $@

$(VENV)/developing: $(VENV)/installed
	@echo "==> installing the development tools into $(VENV)"
	@$(PIP) install --quiet --editable '.[lab]' --group dev
	@touch $@

vscode-extension/node_modules/installed: vscode-extension/package-lock.json
	@echo "==> installing the extension's dependencies"
	@cd vscode-extension && npm ci --silent --no-fund --no-audit
	@touch $@

$(SERVER): pyproject.toml $(shell find cato_lsp backend profiles -type f -not -name '*.pyc') | $(BIN)/python
	@echo "==> building the language server's wheel for the extension"
	@rm -rf $(@D)
	@$(PIP) wheel --quiet --no-deps --wheel-dir $(@D) .

$(VSIX): $(SERVER) vscode-extension/node_modules/installed vscode-extension/package.json $(wildcard vscode-extension/src/*.ts vscode-extension/src/*/*.ts)
	@echo "==> packaging the extension"
	@cd vscode-extension && npm run --silent package
	@touch $@
