# Every target makes .venv and installs what it needs; stamp files make the second run quick.
#   make demo            a running archive with five generated studies (CHECK=1: start, find one, stop)
#   make test            everything: system packages when it may, build, all tests   (TESTS=tests/native, ARGS='-k C07',
#                        PROCESSES=0: one test after the other)
#   make bench           the paper's suites, small make campaign   the long fault and crash campaigns
#   make lint            ruff, cython-lint, mypy   make wheel      dist/filmroom-*.whl
#   make sanitize        the native tests under AddressSanitizer and UndefinedBehaviorSanitizer, in a copy of the tree
#   make screenshots     the pictures of the README, in docs/images
#   make build           native code in place      make clean      away with everything that was made
# PYTHON=/path/to/python3.11+ chooses the interpreter.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test bench campaign sanitize screenshots lint wheel build clean system system-build

MAKE_VENV := .venv/.made
TOOLS     := .venv/.tools
BUILT     := .venv/.built
RUNS      := .venv/.runs
INSTALLED := .venv/.installed
VIEWER    := .venv/.viewer
BIN       := .venv/bin
TESTS     ?= tests
ARGS      ?=
SCALE     ?= 1
# tests wait about half of their time for peers, disks and clocks: three at once keep two cores busy
PROCESSES ?= 3
PIP       := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NATIVE    := $(wildcard native/*.pyx native/*.pxd native/*.h native/vendor/*.h)

# the first interpreter that is 3.11 or newer and can make environments
find_python = for p in $(PYTHON) python3.11 python3.12 python3.13 python3 python "$$HOME"/.pyenv/versions/3.1[1-9]*/bin/python3; do \
	"$$p" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; exit 0; }; \
	[ "$$p" = "$(PYTHON)" ] && break; done; \
	echo 'Filmroom needs Python 3.11 or newer with venv: apt-get install python3 python3-venv python3-dev, or PYTHON=/path/to/python' >&2; exit 1

demo: system-build $(RUNS)
	@$(BIN)/filmroom demo $(if $(CHECK),--check) $(ARGS)

test: build $(VIEWER)
	$(BIN)/python -m pytest -n $(PROCESSES) --dist worksteal $(TESTS) $(ARGS)

campaign: build
	FILMROOM_CAMPAIGN=$(SCALE) $(BIN)/python -m pytest -m campaign $(TESTS) $(ARGS)

sanitize: $(INSTALLED)
	PYTHON=$(BIN)/python .ci/sanitize $(ARGS)

screenshots: build $(VIEWER)
	$(BIN)/python -m tests.browser.screenshots

bench: build
	$(BIN)/python -m bench quick $(ARGS)

lint: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint native
	$(BIN)/python -m mypy

wheel: $(INSTALLED)
	rm -rf dist/filmroom-*.whl build/lib.* build/bdist.*
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps -w dist .
	@ls dist/filmroom-*.whl

build: system $(INSTALLED) $(BUILT)

system:
	@.ci/system

system-build:
	@.ci/system build

$(MAKE_VENV):
	@python=$$($(find_python)) && echo "making .venv with $$python" && "$$python" -m venv .venv
	@touch $@

$(TOOLS): $(MAKE_VENV)
	@echo 'installing the build tools'
	@$(PIP) --upgrade pip 'setuptools>=80' 'Cython>=3.3,<4' wheel
	@touch $@

$(BUILT): $(TOOLS) setup.py $(NATIVE) | system-build
	@echo 'building native code (about a minute the first time)'
	@mkdir -p build && { $(BIN)/python setup.py -q build_ext --inplace --parallel "$$(nproc)" >build/log 2>&1 || { cat build/log; exit 1; }; }
	@touch $@

$(RUNS): $(BUILT) pyproject.toml
	@echo 'installing filmroom and what it runs on'
	@$(PIP) --no-build-isolation -e '.[codecs]' || { \
		echo 'the codecs cannot be installed here: Filmroom runs, without images and compressed pixels unfolded'; \
		$(PIP) --no-build-isolation -e .; }
	@touch $@

$(INSTALLED): $(RUNS) pyproject.toml | system
	@echo 'installing what tests and lint need'
	@$(PIP) --no-build-isolation -e '.[test,lint]'
	@touch $@

# the viewer of the tests is not the user's
$(VIEWER): $(RUNS) $(wildcard filmroom/viewer/*.py)
	@rm -rf build/data
	@XDG_DATA_HOME="$(CURDIR)/build/data" $(BIN)/filmroom viewer install && touch $@ || \
		echo 'the viewer cannot be fetched: its tests are skipped'

clean:
	rm -rf .venv build dist *.egg-info native/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
