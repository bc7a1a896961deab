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

# Snakemake, DVC and matplotlib end with tracebacks where they cannot write to the home folder, as in
# many containers; then they have one here.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
$(info The home folder ($(HOME)) cannot be written; caches go to .snakemake/home.)
export HOME := $(CURDIR)/.snakemake/home
export XDG_CACHE_HOME := $(HOME)/.cache
$(shell mkdir -p "$(XDG_CACHE_HOME)")
endif

.DEFAULT_GOAL := help
.PHONY: help env pose demo encoder test test-all test-pose test-page test-notebook test-slurm test-agreement test-s3 test-chaos test-crate
.PHONY: test-scenario test-wheel lint format generated lock bench bench-accuracy bench-gpu bench-scale experiments restore clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):[^#]*## /\1\t/' | expand -t 16

env: $(READY) ## make the environment in .venv

# Whole or not there: scripts/environment.py. Each part behind `--` is one `pip install`.
ENVIRONMENT := $(PYTHON) scripts/environment.py

ifdef READY
$(READY): requirements.lock pyproject.toml
	@$(ENVIRONMENT) $(VENV) -- -r requirements.lock -- --no-deps --no-build-isolation -e .

pose: $(POSE_READY) ## add the pose extractors (mmpose, MediaPipe) to the environment

# Without dependencies: nothing that requirements.lock pins changes. xtcocotools is compiled.
$(POSE_READY): requirements-pose.txt $(READY)
	@$(ENVIRONMENT) $(VENV) --add pose -- --no-deps cython==3.3.1 \
	  -- --no-deps --no-build-isolation -r requirements-pose.txt
endif

demo: $(READY) ## from a download of real keypoints to tables and figures (CONFIG=..., CORES=...)
	snakemake --cores $(CORES) --configfile $(CONFIG)
	@folder=$$(sed -n 's/^results: *\([^ #]*\).*/\1/p' $(CONFIG)); \
	echo "Look at $${folder:-results}/report.html and $${folder:-results}/tables/linear.md; the best encoder is in $${folder:-results}/model"; \
	echo "The positive control, which must hold in the demo:"; \
	sslslr report verdict pretraining_works --results $${folder:-results}

encoder: $(READY) ## a small encoder to use, in model/, trained on data under the MIT licence (minutes)
	snakemake --cores $(CORES) evaluate --configfile config/small_encoder.yaml \
	  $(if $(EPOCHS),--config 'pretrain={epochs: $(EPOCHS)}')
	sslslr export results/small_encoder --out model

test: $(READY) ## all tests but the slow ones, four minutes on 2 idle cores
	python -m pytest -n 2 --dist loadgroup

test-all: $(READY) ## the slow tests too
	python -m pytest -n 2 --dist loadgroup -m "not pose and not slurm and not wheel"

test-pose: $(POSE_READY) ## the tests that need the pose extractors and real videos, a few minutes
	python -m pytest -m pose

test-page: $(POSE_READY) ## sign to the look-up page in a headless Chromium (needs npm; a minute)
	python -m pytest -m slow -s -rs tests/use/test_page_browser.py

test-notebook: $(READY) ## docs/first-look.ipynb on the letters and the encoder of `make demo`
	@test -d results/model || { echo "results/model is missing: make demo first" >&2; exit 1; }
	python -m pytest -m slow tests/use/test_first_look.py

test-agreement: $(READY) ## every key and source: do Snakemake and DVC re-run the same? (10 minutes)
	python -m pytest -n 2 --dist loadgroup -m agreement tests/workflow/test_agreement.py

SCENARIO := --directory .test --configfile .test/config/config.yaml --cores 2
test-scenario: $(READY) ## the scenario of the workflow catalogue: all stages of a tiny study, in .test
	rm -rf .test/results .test/.snakemake
	snakemake $(SCENARIO) --quiet all
	test -s .test/results/report.html
	snakemake $(SCENARIO) --dry-run 2>&1 | grep 'Nothing to be done'

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
$(CRATE)/.ready:
	@$(ENVIRONMENT) $(CRATE) -- roc-validator==0.13.0 rocrate==0.14.2

test-crate: $(READY) $(CRATE)/.ready ## check provenance.json with the validator of RO-Crates
	SSLSLR_CRATE_PYTHON=$(abspath $(CRATE))/bin/python \
	  python -m pytest tests/provenance/test_crate.py -m "slow or not slow"

test-slurm: $(READY) ## the workflow on a real Slurm of one node, which it installs (root, Debian)
	python -m pip install --quiet -r requirements-slurm.lock
	python -m pytest -m slurm tests/slurm -rs

test-wheel: $(READY) ## the package in an empty environment with its core dependencies alone (2 minutes)
	python -m pytest -m wheel tests/test_wheel.py

lint: $(READY) ## style, formats, generated files, the workflow
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile workflow
	python scripts/generate.py --check
	snakemake --lint

format: $(READY) ## bring the sources into the one format
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

generated: $(READY) ## write environment.yml, the schema and dvc.yaml from their sources
	python scripts/generate.py

lock: ## resolve pyproject.toml into requirements.lock, versions that stand there kept
	$(PYTHON) scripts/generate.py --lock

bench: $(READY) ## speed side by side in one run, printed as ratios
	python benchmarks/bench.py

bench-accuracy: $(READY) ## seconds of one core until a frozen encoder reaches 40 to 58 % (half an hour)
	python benchmarks/accuracy.py

bench-gpu: $(READY) ## the same on a GPU, with the share of its ceiling
	python benchmarks/bench_gpu.py

bench-scale: $(READY) ## time and memory of pretraining from 1,000 to 120,000 clips (4 GB of memory)
	python benchmarks/scale.py

# DVC's own table has a column for each setting and source as well.
SHOWN := Exp|Created|mean|held|lost|best|random|raw|supervised|pretrain\.epochs
experiments: $(READY) ## the headline numbers of `dvc exp run`, in 100 columns
	dvc exp show --no-pager --drop '(?!$(SHOWN)).*'

restore: $(READY) ## get built results from a DVC remote (REMOTE=name), check and certify them
	python scripts/restore.py $(if $(REMOTE),--remote $(REMOTE))

clean: ## remove what was built, not the environment
	rm -rf results/* .snakemake
