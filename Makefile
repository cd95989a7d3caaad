# make all     set up what is missing, run the pipeline on the embedded sample to results/report.md
# make test    set up what is missing, run every check and test
# make help    the other targets and the settings

RUNTIME ?= auto
CORES ?= all
PORT ?= 6006
CONFIG ?=
BENCH ?=
FULL ?=

SNAKEMAKE := .venv/workflow/bin/snakemake
TOOLS := .venv/workflow/bin
# The first command that really is a Python; a name on PATH may be a placeholder that only prints an error.
SETUP := for python in python3 python3.13 python3.12 python3.11 python; do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' >/dev/null 2>&1 && break; python=; \
	done; \
	test -n "$$python" || { echo "setup: error: no working python3 found; install Python 3.11, 3.12 or 3.13" >&2; exit 1; }; \
	"$$python" envs/setup.py

# Tests side by side; each worker holds a TensorFlow.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal
# One more where tests wait: one of them some minutes, for Slurm.
WAITING := --numprocesses $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := all
# A name that is no target is an error, also where it is that of a folder, which make would call up to date.
%: FORCE
	@echo "make: no target $@; \`make help\` lists them" >&2; exit 2
FORCE:
$(MAKEFILE_LIST): ;

.PHONY: FORCE all setup onnx exports formats mlflow corruptions agreement tensorboard test lint unit workflow-tests slurm browser ascend-check bench docs clean help

all:
	@$(SETUP) --runtime $(RUNTIME) workflow runtime
	@$(SNAKEMAKE) --cores $(CORES) $(if $(CONFIG),--configfile '$(CONFIG)') $(if $(filter-out auto,$(RUNTIME)),--config runtime=$(RUNTIME)) -- all

setup:
	@$(SETUP) --runtime $(RUNTIME) workflow runtime

onnx:
	@$(SETUP) onnx

exports:
	@$(SETUP) onnx exports

formats:
	@$(SETUP) formats

mlflow:
	@$(SETUP) mlflow

corruptions:
	@$(SETUP) corruptions

# Of the runtime that the workflow takes, until Ctrl-C. PORT=0 takes a free port.
tensorboard:
	@$(SETUP) --runtime $(RUNTIME) runtime
	@for name in $(if $(filter tf1 tf2,$(RUNTIME)),$(RUNTIME),tf1 tf2); do \
	  test -x .venv/$$name/bin/python || continue; \
	  exec .venv/$$name/bin/python -m tensorboard.main --logdir results --host 127.0.0.1 --port $(PORT); \
	done

test: lint unit workflow-tests

lint:
	@$(SETUP) workflow dev
	$(TOOLS)/ruff check .
	$(TOOLS)/ruff format --check .
	$(TOOLS)/mypy
	$(TOOLS)/oxlint --deny-warnings workflow/scripts/densedepth/*/templates
	PATH="$(CURDIR)/$(TOOLS):$$PATH" snakefmt --check Snakefile workflow/rules
	$(SNAKEMAKE) --lint

# What looks at the text of the sources, and is done once: by Python 3.7 where that is there.
OF_SOURCES := $(patsubst %,--ignore=tests/unit/test_%.py,annotations sizes syntax words)

unit:
	@$(SETUP) tf1? tf2 onnx
	@before=; for name in tf1 tf2; do \
	  test -x .venv/$$name/bin/python || continue; \
	  words="-m pytest $(PARALLEL) tests/graph tests/ascend tests/unit $$before"; \
	  echo ".venv/$$name/bin/python $$words"; \
	  .venv/$$name/bin/python $$words || exit 1; \
	  before="$(OF_SOURCES)"; \
	done

workflow-tests:
	@$(SETUP) workflow dev runtime
	$(TOOLS)/python -m pytest $(WAITING) tests/workflow

# For the test on a real Slurm, which is skipped where its daemons are not.
slurm:
	@if command -v slurmctld && command -v slurmd && command -v munged; then echo "slurm: is here"; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive \
	  apt-get install -q -y --no-install-recommends munge slurm-client slurmctld slurmd \
	  || echo "slurm: could not be installed; its test will be skipped"; \
	else echo "slurm: neither here nor root on Debian; its test will be skipped"; fi

# For the tests of the report in a browser, which are skipped where there is none.
browser:
	@if command -v chromium || command -v google-chrome; then echo "browser: is here"; \
	elif test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium \
	  || echo "browser: could not be installed; its tests will be skipped"; \
	else echo "browser: neither here nor root on Debian; its tests will be skipped"; fi

# With the Python that is to train: PYTHON=, or the first of these.
ascend-check:
	@for python in $(PYTHON) python3.7 .venv/tf1/bin/python python3; do \
	  "$$python" -c '' >/dev/null 2>&1 && exec "$$python" workflow/scripts/ascend_check.py; \
	done; echo "ascend-check: error: no Python found; give PYTHON=" >&2; exit 1

# The metrics against euler-eval, Ultralytics, torchmetrics and scikit-image.
agreement:
	@$(SETUP) workflow dev agree
	$(TOOLS)/python -m pytest -q tests/workflow/test_agreement.py

# Of all benchmarks, or of those in BENCH.
bench:
	@$(SETUP) workflow tf1? tf2 onnx bench agree
	$(TOOLS)/python benchmarks/bench.py $(BENCH) $(if $(FULL),--full)

docs:
	@$(SETUP) workflow
	$(TOOLS)/python docs/rule_graph.py
	$(TOOLS)/python docs/config_tables.py
	$(TOOLS)/python docs/module_list.py

clean:
	rm -rf results .snakemake

help:
	@echo "make all             set up what is missing, run the pipeline to results/report.md"
	@echo "make setup           only set up"
	@echo "make onnx            add to tf2 what the ONNX stages need"
	@echo "make exports         add to tf2 what results/<run>/exports.md needs: ONNX, OpenVINO, coremltools"
	@echo "make formats         add to tf2 what reads depth in parquet and OpenEXR files"
	@echo "make mlflow          install MLflow for tracking.mlflow, in an environment of its own"
	@echo "make corruptions     install the corruptions of ImageNet-C for robustness.json, in an environment of their own"
	@echo "make tensorboard     show the training curves and evaluations of results/ at http://127.0.0.1:6006 (PORT=N)"
	@echo "make test            all checks and tests: lint, unit and graph tests on each runtime, workflow tests"
	@echo "make lint            ruff, mypy, oxlint (of the pages' JavaScript), snakefmt, snakemake --lint"
	@echo "make unit            unit and graph tests on each runtime; Ascend tests on tf1"
	@echo "make workflow-tests  tests that run Snakemake"
	@echo "make slurm           install Slurm for its test, as root on Debian"
	@echo "make browser         install Chromium for its tests, as root on Debian"
	@echo "make ascend-check    check the Ascend software of this host: versions that fit, chips (PYTHON=python3.7)"
	@echo "make agreement       compare the metrics with those of other programs, in an environment of its own"
	@echo "make bench           measure the speed, write docs/performance.md; BENCH=inference for one, FULL=1 for all sizes"
	@echo "make docs            write the rule graph into docs/stages.md, the texts of the schema into config/"
	@echo "make clean           remove results (the environments in .venv and the files in dataset stay)"
	@echo
	@echo "RUNTIME=tf1|tf2      TensorFlow 1.15.0 on Python 3.7, or the current one (default: tf1 where there is a Python 3.7)"
	@echo "CORES=N              processor cores that Snakemake may use (default: all)"
	@echo "CONFIG=FILE          settings laid over config/config.yaml, for example config/nyu.yaml"
