# `make lab` opens the course, `make test` runs every check; `make help` lists the rest. All install into .venv first.

PYTHON ?= python3
LAB_FLAGS ?=

# On Linux pip's default torch carries several gigabytes of CUDA; this index has the CPU build.
# Set TORCH_INDEX to nothing to take torch from wherever pip is configured to look.
ifeq ($(shell uname -s),Linux)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
endif
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
UNIT := tests --ignore tests/long --ignore tests/browser
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with tests/sanitize.cfg

.PHONY: help lab unit test lint refresh clean

help:
	@echo "make lab      open the course in JupyterLab"
	@echo "make unit     the unit tests alone: two minutes"
	@echo "make test     every check: lint, unit tests with coverage, long checks in short, notebooks, browser"
	@echo "make lint     ruff and mypy: code style, in the notebooks too, and types"
	@echo "make refresh  make again what depends on the weights: python -m scripts.refresh --help"
	@echo "make clean    remove .venv and caches"
	@echo
	@echo "All but clean install into .venv first. PYTHON=python3.12 chooses the Python (3.11 or newer) that it is made from."

lab: .venv/ready-lab
	$(BIN)/jupyter lab --LabApp.news_url=None $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS) notebooks

unit: .venv/ready-test
	$(PYTEST) -q --durations=5 $(UNIT)

# The browser comes last: Playwright leaves an event loop running, which other tests must not find.
test: lint
	$(PYTEST) -q --cov=nctutorial --cov-report=term-missing:skip-covered --cov-fail-under=95 $(UNIT)
	$(PYTEST) $(NBVAL) --durations=10 tests/long notebooks tests/browser

lint: .venv/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

refresh: .venv/ready-test
	$(BIN)/python -m scripts.refresh $(PARTS)

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The empty file at the end of an install marks it as done, so that the next run starts at once.
.venv/ready-lab: EXTRAS = codecs
.venv/ready-test: EXTRAS = test,codecs,dask
.venv/ready-lab .venv/ready-test: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv, this takes a minute or two"
	@$(BIN)/python -c 'from importlib.metadata import version; assert version("torch").split("+")[0] == "$(TORCH)"' 2>/dev/null \
	|| test -z "$(TORCH_INDEX)" \
	|| $(INSTALL) --no-deps --retries 1 --timeout 15 --index-url $(TORCH_INDEX) torch==$(TORCH) \
	|| echo "$(TORCH_INDEX) has no torch $(TORCH) for this machine or cannot be reached: taking pip's default, on Linux perhaps the large build with CUDA"
	$(INSTALL) -c constraints.txt -e '.[$(EXTRAS)]'
	@touch $@
