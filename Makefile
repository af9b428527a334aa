# Everything works on a fresh Debian machine: each target first sets up what it needs.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: setup demo test unit lint benchmark clean

# The environment; Debian has the means to make one in a package of its own.
define venv
@$(PYTHON) -m venv $(VENV) >/dev/null || { \
	if [ "$$(id -u)" = 0 ]; then sudo=; else sudo=sudo; fi; \
	$$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends python3-venv && \
	$(PYTHON) -m venv $(VENV); }
endef

setup: $(VENV)/.dev
	@tests/setup.sh

# slimpy with what its tests and checks need, and without.
$(VENV)/.dev: pyproject.toml
	@echo "installing slimpy and its tests' tools into $(VENV)"
	$(venv)
	@$(BIN)/pip install -qq --editable '.[dev]'
	@touch $@ $(BIN)/slim

$(BIN)/slim: pyproject.toml
	@echo "installing slimpy into $(VENV)"
	$(venv)
	@$(BIN)/pip install -qq --editable .
	@touch $@

demo: $(BIN)/slim
	@PYTHON=$(BIN)/python SLIM=$(BIN)/slim sample_apps/demo.sh

test: setup lint
	@mkdir -p build
	@echo "building the sample apps meanwhile"; sample_apps/build.sh >build/samples.log 2>&1 & builder=$$!; \
	$(BIN)/pytest -n 2 tests/unit tests/test_*.py; status=$$?; \
	wait $$builder || { tail -n 30 build/samples.log; exit 1; }; \
	exit $$status
	$(BIN)/pytest -n 2 --dist loadfile tests/engine tests/e2e

unit: $(VENV)/.dev
	$(BIN)/pytest tests/unit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist slim-report
