# install, demo and test each run on a fresh machine with Python, make and a C compiler.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo test check format lint types docs benchmarks peers clean

install: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -q -c constraints.txt -e ".[dev]"
	touch $@

demo: install
	$(BIN)/palate demo

# One thread: the products in tests are so small that threads only wait for each other.
test: install
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/pytest

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

check: lint types test

format: install
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: install
	$(BIN)/python -m benchmarks

# Other libraries pin other versions than ours, so they run in an environment of their own, with ours in it.
peers: .peers/.installed
	.peers/bin/python -m benchmarks --recipes peers

.peers/.installed: pyproject.toml constraints.txt benchmarks/peers/requirements.txt
	$(PYTHON) -m venv .peers
	grep -v "^pandas" constraints.txt > .peers/constraints.txt
	.peers/bin/pip install -q -c .peers/constraints.txt -e ".[text]" pydantic python-dateutil tzdata tqdm
	.peers/bin/pip install -q --no-deps -r benchmarks/peers/requirements.txt
	touch $@

clean:
	rm -rf .venv .peers .mypy_cache .ruff_cache .pytest_cache
