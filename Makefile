# Everything works on a fresh Debian machine: each target first sets up what it needs.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: setup demo test unit lint benchmark clean

setup: $(BIN)/slim
	@tests/setup.sh

$(BIN)/slim: pyproject.toml
	$(PYTHON) -m venv $(VENV) || { apt-get update && apt-get install -y --no-install-recommends python3-venv && $(PYTHON) -m venv $(VENV); }
	$(BIN)/pip install --quiet --editable '.[dev]'
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

unit: $(BIN)/slim
	$(BIN)/pytest tests/unit

lint: $(BIN)/slim
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

benchmark: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist slim-report
