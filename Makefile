# The commands of this house. Each makes the environment it needs: .venv here, from requirements.lock.
#   make run [ARGS=--once]      the gateway with a demonstration: partner, location, simulated stations
#   make test [ARGS="-k name"]  the whole test suite, with a real Valkey and a real PostgreSQL
#   make fuzz [FUZZ=300]        the OpenAPI documents against a gateway, with so many examples an operation
#   make check                  linters, formatter, types, import rules
#   make bench [BENCH_ARGS="--only commands"]   the benchmarks, about an hour; their figures go into docs/performance.md
# PYTHON=/path/to/python chooses the interpreter that .venv is made with.

BIN := .venv/bin
# Keyed to what is to be installed: another lock or project file is another stamp.
STAMP := .venv/.ready-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')
PYTHON ?=
ARGS ?=
BENCH_ARGS ?=
UV ?= uv

FUZZ ?= 300

.PHONY: run test fuzz check bench lock openapi docs clean

run: $(STAMP)
	@$(BIN)/python -m workers.demo $(ARGS)

test: $(STAMP)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)

fuzz: $(STAMP)
	@GATEWAY_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n logical --maxprocesses 4 --timeout 7200 tests/fuzz $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	@$(BIN)/python -m benchmarks.run $(BENCH_ARGS)

openapi: $(STAMP)
	@$(BIN)/python scripts/openapi.py

docs: $(STAMP)
	@$(BIN)/python scripts/settings.py
	@$(BIN)/python -m tests.conformance.document
	@$(BIN)/python -m benchmarks.document

lock:
	@command -v $(UV) >/dev/null || { echo "make lock needs uv; name it with UV=…" >&2; exit 1; }
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --extra dev \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock

clean:
	rm -rf .venv .demo* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find benchmarks gateway ocpi ocpp_bridge workers tests -name __pycache__ -prune -exec rm -rf {} +

$(STAMP):
	@PYTHON="$(PYTHON)" sh scripts/bootstrap "$@"
