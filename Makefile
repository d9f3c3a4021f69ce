# boothd: `make demo` shows it, `make test` proves it. Both install what they need into .venv, once.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test lint bench lock clean install

install: $(VENV)/.core

# Core, by hash. The package is installed editable; the .pth is what makes `twistd` see the plugin
# from a checkout (an editable install alone hides it).
$(VENV)/.core: .ci/lock/core.txt .ci/lock/build.txt setup.cfg pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing boothd into $(VENV)"
	@$(PIP) install --require-hashes -r .ci/lock/build.txt
	@$(PIP) install --require-hashes -r .ci/lock/core.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@$(BIN)/python .ci/plugin_path.py
	@touch $@

$(VENV)/.test: $(VENV)/.core .ci/lock/test.txt
	@echo "installing the test tools into $(VENV)"
	@$(PIP) install --require-hashes -r .ci/lock/test.txt
	@touch $@

# A guest's photo through the real daemon; ONCE=1 ends after the picture.
demo: $(VENV)/.core
	@$(BIN)/boothd demo $(if $(ONCE),--once)

lint: $(VENV)/.test
	$(BIN)/ruff check boothd tests twistd-plugin .ci
	$(BIN)/ruff format --check boothd tests twistd-plugin .ci
	$(BIN)/mypy
	$(BIN)/lint-imports

test: $(VENV)/.test
	@.ci/debian-packages
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

bench: $(VENV)/.test
	$(BIN)/python -m tests.bench $(BENCH_ARGS)

# New pins: needs `uv`; the result is committed.
lock:
	cd .ci/lock && uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-annotate --no-header build.in -o build.txt
	cd .ci/lock && uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-annotate --no-header core.in -o core.txt
	cd .ci/lock && uv pip compile -q --python-version 3.11 --universal --generate-hashes --no-annotate --no-header test.in -o test.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
