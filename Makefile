# Each target creates .venv and installs the package, in the exact versions of constraints.txt, first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo notebooks test conformance conformance-torch conformance-aer docs docs-links lint types package release clean

# Train three small networks, on digits and on XOR, and run them as circuits, also under the noise of a chip.
demo: .venv/installed
	$(BIN)/python examples/demo.py --out demo

# Run the example notebooks and keep their new outputs.
notebooks: .venv/installed
	$(BIN)/python -m tools.notebooks

# There are as many workers as cores, whose further threads would only wait for one another.
test conformance-torch conformance-aer: export OMP_NUM_THREADS = 1

# The whole test suite, with further options of pytest in OPTIONS.
test: .venv/installed
	$(BIN)/pytest --numprocesses auto $(OPTIONS)

# PennyLane's own device tests, exact and with shots. They start the pytest that the path names.
conformance: conformance-torch conformance-aer

conformance-torch conformance-aer: export PATH := $(CURDIR)/$(BIN):$(PATH)
conformance-torch conformance-aer: conformance-%: .venv/installed
	pl-device-test --device qrnn.$* --shots None --numprocesses auto
	pl-device-test --device qrnn.$* --shots 20000 --numprocesses auto

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: .venv/installed
	$(BIN)/mypy

# An sdist, a wheel of it, and that wheel in an empty environment.
package: .venv/installed
	$(BIN)/python -m tools.package

# The documentation in docs/_build/html, without network; warnings and dead links are errors.
docs: .venv/installed
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder html docs docs/_build/html
	$(BIN)/python -m tools.site.check docs/_build/html

# Whether the links of the documentation to other hosts still lead somewhere.
docs-links: .venv/installed
	$(BIN)/sphinx-build --quiet --builder linkcheck docs docs/_build/links

# What a tag publishes, in dist: make release TAG=v0.2.0 ADDRESS=https://HOST/OWNER/REPOSITORY
release: .venv/installed
	$(BIN)/python -m tools.release --tag $(TAG) --address $(ADDRESS) --out dist

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[dev]"
	touch $@

clean:
	rm -rf .venv demo docs/_build docs/api/generated
