# `make lab` opens the course, `make test` runs every check; `make help` lists the rest. All install into .venv first.

PYTHON ?= python3
LAB_FLAGS ?=
CHAPTERS ?=
VENV := .venv
PINS := constraints.txt

# On Linux pip's default torch carries several gigabytes of CUDA; this index has the CPU build.
# Set TORCH_INDEX to nothing to take torch from wherever pip is configured to look.
ifeq ($(shell uname -s),Linux)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
endif
TORCH := $(shell sed -n 's/^torch==//p' $(PINS))

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
UNIT := tests --ignore tests/long --ignore tests/browser
ifneq ($(PINS),constraints.txt) # what holds for the pinned versions alone
UNIT += --deselect tests/course/test_project.py::test_the_whole_tree_is_pinned_and_installed_as_pinned \
	--deselect tests/test_cli.py::test_nothing_is_deprecated_and_no_encoding_is_left_open
endif
NBVAL := --nbval-lax --nbval-current-env --nbval-cell-timeout=120 --nbval-sanitize-with tests/sanitize.cfg

.PHONY: help lab check unit test suite lint oldest newest refresh clean

help:
	@echo "make lab      open the course in JupyterLab"
	@echo "make check    which exercises are done, in the chapters as saved; CHAPTERS=\"06 07\" for some"
	@echo "make unit     the unit tests alone: two minutes"
	@echo "make test     every check: lint, unit tests with coverage, long checks in short, notebooks, browser"
	@echo "make lint     ruff and mypy: code style, in the notebooks too, and types"
	@echo "make oldest   every check but lint, with the oldest versions that pyproject.toml allows, in .venv-oldest"
	@echo "make newest   the same with the newest versions there are, in .venv-newest"
	@echo "make refresh  make again what depends on the weights: python -m scripts.refresh --help"
	@echo "make clean    remove the environments and caches"
	@echo
	@echo "All but clean install into .venv first. PYTHON=python3.12 chooses the Python (3.11 to 3.14) that it is made from."

lab: $(VENV)/ready-lab
	$(BIN)/jupyter lab --LabApp.news_url=None $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_FLAGS) notebooks

check: $(VENV)/ready-lab
	@cd notebooks && ../$(BIN)/python -m checks $(CHAPTERS)

unit: $(VENV)/ready-test
	$(PYTEST) -q --durations=5 $(UNIT)

test: lint
	$(MAKE) suite

# The browser comes last: Playwright leaves an event loop running, which other tests must not find.
suite: $(VENV)/ready-test
	$(PYTEST) -q --cov=nctutorial --cov-report=term-missing:skip-covered --cov-fail-under=95 $(UNIT)
	$(PYTEST) $(NBVAL) --durations=10 tests/long notebooks tests/browser

lint: $(VENV)/ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Made afresh each time: what is newest changes. Not all of the oldest have wheels for a Python newer than 3.11.
oldest newest:
	rm -rf .venv-$@
	mkdir -p build
	$(PYTHON) scripts/bounds.py $@ > build/$@.txt
	$(MAKE) suite VENV=.venv-$@ PINS=build/$@.txt

refresh: $(VENV)/ready-test
	$(BIN)/python -m scripts.refresh $(PARTS)

clean:
	rm -rf .venv .venv-oldest .venv-newest .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

# The empty file at the end of an install marks it as done, so that the next run starts at once.
$(VENV)/ready-lab: EXTRAS = codecs
$(VENV)/ready-test: EXTRAS = test,codecs,dask
$(VENV)/ready-lab $(VENV)/ready-test: pyproject.toml $(PINS)
	@$(PYTHON) scripts/machine.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV), this takes a minute or two"
	@$(BIN)/python -c 'from importlib.metadata import version; assert version("torch").split("+")[0] == "$(TORCH)"' 2>/dev/null \
	|| test -z "$(TORCH_INDEX)" \
	|| $(INSTALL) --no-deps --retries 1 --timeout 15 --index-url $(TORCH_INDEX) torch$(TORCH:%===%) \
	|| echo "$(TORCH_INDEX) has no torch $(TORCH) for this machine or cannot be reached: taking pip's default, on Linux perhaps the large build with CUDA"
	$(INSTALL) -c $(PINS) -e '.[$(EXTRAS)]'
	@touch $@
