# serve: a server from this checkout · test, check: what CI runs · soak: the long tests · bench: beside stock Radicale ·
# bench-growth: up to a million items, on SQLite and PostgreSQL ·
# clean: what is made here
#
#   make serve ARGS="--hosts 0.0.0.0:5232"     make test ARGS="tests/ical -x"     make soak ARGS="--minutes 120"     make bench ARGS="--items 1000"

PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin
PIP    := $(RUN)/python -m pip install --quiet --disable-pip-version-check
ARGS   ?=

# Each start of a server would compile calsync anew: a third more for every one of the many that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve test soak fuzz check bench bench-growth clean
.DELETE_ON_ERROR:

# Calendars go where an installed calsync keeps them too ($XDG_DATA_HOME/calsync): neither `clean` nor a fresh clone loses any.
serve: $(VENV)/.serve
	@$(RUN)/calsync serve $(ARGS)

# Half as many again as there are processors: many tests wait for a clock. Long files first (tests/conftest.py).
test: $(VENV)/.test
	@$(RUN)/python -m pytest -n $$(( $$(getconf _NPROCESSORS_ONLN) * 3 / 2 )) --dist loadfile --no-loadscope-reorder $(ARGS)

# About 20 minutes, then its figures.
soak: $(VENV)/.test
	@$(RUN)/python -m tests.soak $(ARGS)

# Each parser for three minutes (half an hour in all): make fuzz ARGS="--seconds 600 scanner xml"
fuzz: $(VENV)/.fuzz
	@$(RUN)/python -m tests.fuzz $(ARGS)

check: $(VENV)/.check
	@$(RUN)/ruff format --check .
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

bench: $(VENV)/.test
	@$(RUN)/python -m tests.benchmarks $(ARGS)

# Stores are kept in .bench-cache: make bench-growth ARGS="--items 1000,1000000 --own '' --load --churn"
bench-growth: $(VENV)/.test
	@$(RUN)/python -m tests.benchmarks.growth $(ARGS)

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .bench-cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "calsync: needs Python 3.11 or newer as '$(PYTHON)': apt install python3 python3-venv (or: make PYTHON=python3.12 …)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "calsync: '$(PYTHON)' cannot make virtual environments: apt install python3-venv" >&2; exit 1; }
	@echo "calsync: making $(VENV) (once)" >&2
	@$(PYTHON) -m venv $(VENV)

# One stamp for each set of packages; pip runs again only after pyproject.toml changed.
$(VENV)/.serve: pyproject.toml | $(RUN)/python
	@echo "calsync: installing what calsync needs (again only when pyproject.toml changes)" >&2
	@$(PIP) -e .
	@touch $@

$(VENV)/.test: pyproject.toml | $(RUN)/python
	@$(PIP) -e '.[test]'
	@touch $@ $(VENV)/.serve

$(VENV)/.fuzz: pyproject.toml | $(RUN)/python
	@$(PIP) -e '.[fuzz,test]'
	@touch $@ $(VENV)/.test $(VENV)/.serve

$(VENV)/.check: pyproject.toml | $(RUN)/python
	@$(PIP) -e '.[check,test]'
	@touch $@ $(VENV)/.test $(VENV)/.serve
