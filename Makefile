# Two commands: `make demo` and `make test`. Each makes the environment first; both are quick the
# second time. `make help` lists the rest.
VENV ?= .venv
PYTHON ?= python3
CORES ?= all
CONFIG ?= config/demo.yaml
# In a container (Dockerfile, containers/) the environment is the image's and stays as it is; the
# sources are those of this folder.
ifdef SSLSLR_IMAGE
override VENV := $(SSLSLR_IMAGE)
export PYTHONPATH := $(CURDIR)
else
READY := $(VENV)/.ready
POSE_READY := $(VENV)/.pose-ready
endif
BIN := $(VENV)/bin
# The tools are found as in an activated environment; the jobs' `sslslr` too.
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help env pose demo test test-all test-pose test-slurm test-agreement test-s3 test-chaos test-crate
.PHONY: lint format generated lock bench bench-gpu bench-scale restore clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

env: $(READY) ## make the environment in .venv

ifdef READY
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sslslr needs Python 3.11 or newer, found " + sys.version.split()[0] + "; name another one: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

pose: $(POSE_READY) ## add the pose extractors (mmpose, MediaPipe) to the environment

# Without dependencies: nothing that requirements.lock pins changes. xtcocotools is compiled.
$(POSE_READY): requirements-pose.txt $(READY)
	$(BIN)/python -m pip install --quiet --no-deps cython==3.3.1
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -r requirements-pose.txt
	touch $@
endif

demo: $(READY) ## from a download of real keypoints to tables and figures (CONFIG=..., CORES=...)
	snakemake --cores $(CORES) --configfile $(CONFIG)
	@folder=$$(sed -n 's/^results: *\([^ #]*\).*/\1/p' $(CONFIG)); \
	echo "Look at $${folder:-results}/report.html and $${folder:-results}/tables/linear.md"

test: $(READY) ## all tests but the slow ones, under 5 minutes on 2 cores
	python -m pytest -n 2 --dist loadgroup

test-all: $(READY) ## the slow tests too
	python -m pytest -n 2 --dist loadgroup -m "not pose and not slurm"

test-pose: $(POSE_READY) ## the tests that need the pose extractors and real videos, a few minutes
	python -m pytest -m pose

test-agreement: $(READY) ## every key and source: do Snakemake and DVC re-run the same? (10 minutes)
	python -m pytest -n 2 --dist loadgroup -m agreement tests/workflow/test_agreement.py

test-s3: $(READY) ## push to and restore from a pretended S3 on loopback; installs its server
	python -m pip install --quiet -r requirements-s3-test.lock
	python -m pytest tests/workflow/test_remotes.py

# CONFIG=config/demo.yaml kills the demo itself (hours); without it a tiny study of all stages.
# A handful for CI, up to the metrics: make test-chaos KILLS=4 TARGET=evaluate
KILLS ?= 50
SEED ?= 0
FROM ?= 0
test-chaos: $(READY) ## kill the workflow at random moments; a plain re-run must end with the same bytes
	python tests/chaos.py --kills $(KILLS) --from $(FROM) --seed $(SEED) --target $(TARGET) \
	  $(if $(filter command line environment,$(origin CONFIG)),--config $(CONFIG))

# The validator wants an older `rich` than the project has, so it has an environment of its own.
CRATE := $(VENV)-crate
test-crate: $(READY) ## check provenance.json with the validator of RO-Crates
	test -x $(CRATE)/bin/python || $(PYTHON) -m venv $(CRATE)
	$(CRATE)/bin/python -m pip install --quiet roc-validator==0.13.0 rocrate==0.14.2
	SSLSLR_CRATE_PYTHON=$(abspath $(CRATE))/bin/python \
	  python -m pytest tests/trace/test_crate.py -m "slow or not slow"

test-slurm: $(READY) ## the workflow on a real Slurm of one node, which it installs (root, Debian)
	python -m pip install --quiet -r requirements-slurm.lock
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

bench-gpu: $(READY) ## the same on a GPU, with the share of its ceiling
	python benchmarks/bench_gpu.py

bench-scale: $(READY) ## time and memory of pretraining from 1,000 to 120,000 clips (4 GB of memory)
	python benchmarks/scale.py

restore: $(READY) ## get built results from a DVC remote (REMOTE=name), check and certify them
	python scripts/restore.py $(if $(REMOTE),--remote $(REMOTE))

clean: ## remove what was built, not the environment
	rm -rf results/* .snakemake
