# Every target makes the environment .venv first if it is absent or older than pyproject.toml.
# uv is used where it is installed, python's own venv and pip where it is not; PYTHON=... chooses another Python.

# the first that runs: a version manager's stand-in may be on the path without a Python behind it
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && break; done)
DATA ?= fra-eng
PY := .venv/bin/python
STAMP := .venv/.installed

# recipes read these from the environment, so that a name may hold quotes and spaces
export DATA MODEL FILE

.DEFAULT_GOAL := help
.PHONY: help setup train data decode test torture mutation oldest audit lint format bench notebooks docs pretrained clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'
	@echo "  variables: DATA=NAME|PATH  MODEL=DIR  FILE=PATH  ARGS='--any options'"

setup: $(STAMP)  ## make the environment .venv

$(STAMP): pyproject.toml
	@rm -rf .venv
	@set -e; if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --python '$(if $(filter file,$(origin PYTHON)),3.11,$(PYTHON))' .venv && uv pip install --quiet --python $(PY) -e '.[dev]'; \
	else \
		test -n '$(PYTHON)' || { echo 'seq2seq needs Python 3.11, 3.12 or 3.13; name it: make setup PYTHON=/path/to/python3.11' >&2; exit 2; }; \
		$(PYTHON) -m venv .venv && echo "installing into .venv (a few minutes the first time)" && \
		$(PY) -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@touch $@

train: $(STAMP)  ## train a translator or language model: DATA=fra-eng, MODEL=runs/mine, ARGS='--epochs 20'
	@$(PY) -m seq2seq.train --data "$$DATA" $${MODEL:+--model "$$MODEL"} $(ARGS)

data: $(STAMP)  ## download a data set, or install a file at hand: DATA=fra-eng FILE=fra-eng.zip
	@$(PY) -m seq2seq.data "$$DATA" $${FILE:+--file "$$FILE"} $(ARGS)

decode: $(STAMP)  ## translate standard input: ARGS='--temperature 0.7'
	@$(PY) -m seq2seq.decode $${MODEL:+--model "$$MODEL"} $(ARGS)

test: $(STAMP)  ## run the tests
	@$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

torture: $(STAMP)  ## run the campaigns in full and print their figures: hours; ARGS='-k kills --count 300 --seed 2'
	@SEQ2SEQ_TORTURE=1 $(PY) -m pytest -q -m "campaign or hypothesis" $(ARGS)

mutation: $(STAMP)  ## change the package in small ways and count which changes the tests find: ARGS='--count 300'
	@$(PY) -m tests.mutation_run $(ARGS)

oldest: $(STAMP)  ## run the tests of the core with the oldest versions that pyproject.toml allows
	@$(PY) -m tests.oldest $(ARGS)

audit: $(STAMP)  ## ask whether the installed packages have known vulnerabilities
	@$(PY) -m tests.audit $(ARGS)

lint: $(STAMP)  ## check style and types
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy

format: $(STAMP)  ## bring the code into the project's form
	@$(PY) -m ruff check --fix . && $(PY) -m ruff format .

bench: $(STAMP)  ## run the benchmarks
	@$(PY) -m tests.benchmarks $(ARGS)

notebooks: $(STAMP)  ## execute the notebooks in place
	@$(PY) -m tests.notebooks $(ARGS)

docs: $(STAMP)  ## build the documentation site in .site
	@$(PY) -m tests.docs $(ARGS)

pretrained: $(STAMP)  ## make the models that come with the package: MODEL=fra-eng FILE=fra-eng.zip ARGS='--minutes 300'
	@$(PY) -m data.pretrained $(MODEL) $${FILE:+--file "$$FILE"} $(ARGS)

clean:  ## remove the environment and caches
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .mutation .oldest
