# Two commands matter: `make repro` and `make test`. Each installs first what is missing.
# Needed: Python 3.11 or newer with venv, git, make and a package index.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup repro test lint docs bench

# Stage commands say `python`: that is the environment's.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := 1

INSTALLED := .venv/.installed
# Processes that test; a file stays in one.
WORKERS := 2

help:
	@echo "make setup   install the locked packages into .venv"
	@echo "make repro   install if needed, then dvc repro, then the table before against after"
	@echo "make test    install if needed, then the tests (make test TESTS='tests/test_cli.py -v' for some)"
	@echo "make lint    install if needed, then ruff, mypy and the check of params.yaml"
	@echo "make docs    install if needed, then the pages of docs/ as site/index.html; a broken link fails"
	@echo "make bench   install if needed, then the benchmarks in bench/"

setup: $(INSTALLED)

# A small environment for uv, and with it the large one. The first Python that really runs is taken.
.uv/bin/uv:
	@set -e; \
	for python in $(PYTHON) python3.12 python3.11 python3.13 python3; do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        $$python -m venv --clear .uv && .uv/bin/python -m pip install --quiet 'uv>=0.8' && exit 0; \
	        echo "make: uv could not be installed; can pip reach a package index?" >&2; exit 1; \
	    fi; \
	done; \
	echo "make: no Python 3.11 or newer with venv was found; install one or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	exit 1

# uv does not read pip's configuration: an index that pip is told of is handed on.
# requirements.local.txt, which git ignores, names packages of your choice: they stay, and the locked ones do not move.
$(INSTALLED): requirements.lock pyproject.toml $(wildcard requirements.local.txt) | .uv/bin/uv
	@set -e; \
	index=$${PIP_INDEX_URL:-$$(.uv/bin/python -m pip config get global.index-url 2>/dev/null || true)}; \
	if [ -n "$$index" ]; then UV_DEFAULT_INDEX=$${UV_DEFAULT_INDEX:-$$index}; export UV_DEFAULT_INDEX; fi; \
	.uv/bin/uv venv --quiet --allow-existing --python .uv/bin/python .venv; \
	VIRTUAL_ENV=$(CURDIR)/.venv .uv/bin/uv pip sync --quiet requirements.lock; \
	VIRTUAL_ENV=$(CURDIR)/.venv .uv/bin/uv pip install --quiet --no-deps --editable .; \
	if [ -f requirements.local.txt ]; then \
	    sed -n 's/^\([A-Za-z0-9._-]*==[^ ]*\)\( ;[^\\]*\)\{0,1\}.*/\1\2/p' requirements.lock > .uv/constraints.txt; \
	    VIRTUAL_ENV=$(CURDIR)/.venv .uv/bin/uv pip install --quiet --requirement requirements.local.txt \
	        --constraint .uv/constraints.txt; \
	fi; \
	touch $@

repro: $(INSTALLED)
	@dvc repro
	@echo; cat reports/table.md

test: $(INSTALLED)
	@FOSBURY_THREADS=$${FOSBURY_THREADS:-1} python -m pytest --numprocesses $(WORKERS) $(TESTS)

lint: $(INSTALLED)
	@ruff check .
	@ruff format --check .
	@mypy
	@fosbury config check

docs: $(INSTALLED)
	@NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "site/index.html"

bench: $(INSTALLED)
	@set -e; for script in bench/*.py; do echo "== $$script"; python "$$script"; done
