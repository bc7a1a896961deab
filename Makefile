# Two commands: `make demo` and `make test`. Each makes the environment first; both are quick the
# second time. `make help` lists the rest.
VENV ?= .venv
PYTHON ?= python3
CORES ?= all
CONFIG ?= config/demo.yaml
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The tools are found as in an activated environment; the jobs' `sslslr` too.
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env demo test test-all test-slurm lint format generated lock bench restore clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

env: $(READY) ## make the environment in .venv

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sslslr needs Python 3.11 or newer, found " + sys.version.split()[0] + "; name another one: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

demo: $(READY) ## from a download of real keypoints to tables and figures (CONFIG=..., CORES=...)
	snakemake --cores $(CORES) --configfile $(CONFIG)
	@echo "Look at results/report.html and results/tables/linear.md"

test: $(READY) ## all tests but the slow ones, under 5 minutes on 2 cores
	python -m pytest -n 2 --dist loadgroup

test-all: $(READY) ## the slow tests too
	python -m pytest -n 2 --dist loadgroup -m "not slurm"

test-slurm: $(READY) ## the workflow on a real Slurm of one node, which it installs (root, Debian)
	python -m pip install --quiet "snakemake-executor-plugin-slurm>=2.8"
	python -m pytest -m slurm tests/slurm -rs

lint: $(READY) ## style, formats, generated files, the workflow
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	python scripts/generate.py --check
	snakemake --lint

format: $(READY) ## bring the sources into the one format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

generated: $(READY) ## write environment.yml, the schema and dvc.yaml from their sources
	python scripts/generate.py

lock: ## resolve pyproject.toml anew into requirements.lock
	$(PYTHON) scripts/generate.py --lock

bench: $(READY) ## speed side by side in one run, printed as ratios
	python benchmarks/bench.py

# Pull, check, certify, and show that nothing is left to do. `--touch --forceall` certifies whatever
# lies in results/ as up to date: only ever after a clean `dvc status`.
restore: $(READY) ## get built results from the DVC remote (REMOTE=name), checked
	dvc pull $(if $(REMOTE),--remote $(REMOTE))
	dvc status --quiet
	snakemake --touch --forceall --cores 1
	snakemake --dry-run

clean: ## remove what was built, not the environment
	rm -rf results/* .snakemake
