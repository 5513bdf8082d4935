# Everything from a bare clone: `make demo` and `make test` set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-fast light check bench docs clean

help:
	@echo "make demo       set up, train on the bundled corpus, write the report, label an article"
	@echo "make test       set up, run all tests"
	@echo "make test-fast  the tests that train no model"
	@echo "make light      label without torch: a plain install into a new environment"
	@echo "make check      formatting, lint, types, import directions"
	@echo "make bench      speed, memory and start of inference beside other libraries (20 minutes)"
	@echo "make docs       these documents and the Python interface as a site: build/docs/index.html"
	@echo "make clean      remove what the above made, but for runs/"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "framing needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing framing[train] into $(VENV) (a few minutes the first time)"
	$(INSTALL) -e '.[train]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing framing[train,dev] into $(VENV) (a few minutes the first time)"
	$(INSTALL) -e '.[train,dev]'
	@touch $@ $(VENV)/.train

demo: $(VENV)/.train
	$(BIN)/framing train configs/security_talks.yaml
	$(BIN)/framing predict --model runs/security_talks examples/talks.txt \
	  --html runs/security_talks/article.html --overwrite
	@echo
	@echo "Report:           runs/security_talks/report.html"
	@echo "Labelled article: runs/security_talks/article.html"

# Two workers with a thread each finish sooner than one with two; files stay whole for their fixtures.
# In their order: those that train come first, so that none of them is left over at the end.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.dev
	$(PYTEST)

test-fast: $(VENV)/.dev
	$(PYTEST) -m "not slow"

light: $(VENV)/.dev
	tests/light_install.sh "$(abspath $(BIN))/python"

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.bench: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[train,bench]'
	@touch $@ $(VENV)/.train

bench: $(VENV)/.bench
	$(BIN)/framing train configs/security_talks.yaml
	$(BIN)/framing export runs/security_talks --out runs/security_talks-int8 --overwrite
	$(BIN)/framing train configs/security_talks_small.yaml
	$(BIN)/framing export runs/security_talks_small --out runs/security_talks_small-int8 --overwrite
	$(BIN)/python experiments/006-inference-speed/bench.py runs/security_talks \
	  runs/security_talks-int8 --small runs/security_talks_small-int8

$(VENV)/.docs: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[docs]'
	@touch $@

# A link that leads nowhere is an error.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build -q -W --keep-going -c docs . build/docs
	@echo "The site: build/docs/index.html"

clean:
	rm -rf $(VENV) build/docs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
