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
	$(BIN)/pytest

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
