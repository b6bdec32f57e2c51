# calcinosis-cds: everything a developer or a first-time user types. `make help` lists it.
#
# The virtual environment is made once and stamped; the stamps depend on pyproject.toml. A folder without its stamp is
# half-made (an interrupted set-up) and is made anew. Nothing is ever installed outside $(VENV).
# Tools are called as `$(PY) -m ...`, for their own start scripts break in folders with blanks in the name.

SHELL := /bin/sh
VENV ?= .venv
PORT ?= 8000
PY = $(VENV)/bin/python
JOBS ?= 2
SERVERS = .venv-servers

# python3, or the newest that is new enough; `make run PYTHON=/path/to/python3.12` to choose.
PYTHON ?=
CANDIDATES = python3 python3.14 python3.13 python3.12 python3.11 python

.PHONY: help setup run demo test check lint types mappings unit bench bench-quick bench-peers bench-screen hospital-hour deploy-check image-check store-check spark-check hostile servers-check replay e2e screenshots lock sbom floor fuzz mutation clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## make the virtual environment with all development tools

run: $(VENV)/.run ## serve on http://127.0.0.1:8000 in sandbox mode (PORT=8123 for another port)
	@exec $(PY) -m cds_service serve --sandbox --port $(PORT)

demo: $(VENV)/.run ## fire every bundled sample patient and print the cards
	@$(PY) -m cds_service demo

test: lint types mappings unit ## everything that must be green: format, lint, types, mapping tables, tests

check: test ## the same as test

lint: $(VENV)/.dev ## formatting and lint
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .

types: $(VENV)/.dev ## mypy, strict
	@$(PY) -m mypy

mappings: $(VENV)/.dev ## check the clinical tables
	@$(PY) -m cds_service check-mappings

unit: $(VENV)/.dev ## the tests alone
	@$(PY) -m pytest -n $(JOBS)

bench: $(VENV)/.dev ## measure the service against its floor (about ten minutes)
	@$(PY) -m bench.run

bench-quick: $(VENV)/.dev ## the same in seconds: right answers, no claims about time
	@$(PY) -m bench.run --quick

bench-screen: $(VENV)/.dev ## measure the population screen beside its floor, on made-up exports
	@$(PY) -m bench.screen

bench-peers: $(VENV)/.dev ## beside HealthChain, which is installed in an environment of its own
	@$(PY) -m bench.run --peers

hospital-hour: $(VENV)/.dev ## an hour of a large hospital while things fail (about five minutes; SCALE=0.02 for a few seconds)
	@$(PY) -m bench.hospital_hour --scale $(or $(SCALE),1)

deploy-check: $(VENV)/.deploy ## Dockerfile, compose file, wheel, and the image's start command on a read-only tree
	@$(PY) -m pytest -m deploy tests/test_deploy.py tests/test_image.py

hostile: $(VENV)/.dev ## ten thousand broken requests: never a 5xx, never late, never a made-up number (about two minutes)
	@$(PY) -m pytest -n $(JOBS) -m hostile tests/hostile

image-check: deploy-check ## the same as deploy-check

spark-check: $(VENV)/.spark ## the population screen on Spark's local mode (Java 17 or newer)
	@$(PY) -m pytest -m spark tests/screen/test_spark.py

store-check: $(VENV)/.dev ## the stores on SQLite and on a PostgreSQL server, with many processes, some of them killed
	@$(PY) -m pytest -m store tests/storage

servers-check: $(VENV)/.dev ## the service before sekmet-fhir, a real FHIR server, in an environment of its own
	@$(MAKE) --no-print-directory $(SERVERS)/.sekmet || test -z "$$CI"
	@$(PY) -m pytest -m servers tests/servers

replay: $(VENV)/.dev ## every patient of the open data sets through the endpoint, with a table (where ../shared/data lies)
	@$(PY) -m pytest -s -m replay tests/replay

e2e: $(VENV)/.e2e ## open every page in a browser (Debian: apt-get install chromium)
	@$(PY) -m pytest -m e2e tests/e2e

screenshots: $(VENV)/.e2e ## take docs/images/*.png from a running service (needs chromium); look at each
	@$(PY) -m docs.screenshots

lock: $(VENV)/.uv ## renew requirements.lock and deploy/build.lock
	@VENV=$(VENV) sh deploy/lock.sh

sbom: $(VENV)/.sbom ## write sbom.json: what an installation brings along (CycloneDX)
	@$(PY) -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible --output-file sbom.json requirements.lock
	@echo sbom.json

floor: $(VENV)/.uv $(VENV)/.dev ## try the lowest versions that pyproject.toml allows
	@VENV=$(VENV) sh deploy/floor.sh -q tests/hooks tests/observe tests/storage tests/test_examples.py tests/test_settings.py

fuzz: $(VENV)/.dev ## look for requests that break the service (FUZZ_EXAMPLES=1000 for more)
	@$(PY) -m pytest -m fuzz tests/fuzz

mutation: $(VENV)/.mutation ## change the rules one place at a time and see a test fail (about half an hour)
	@$(PY) -m tests.mutation.run core
	@$(PY) -m tests.mutation.run content

clean: ## remove what the targets made (not the journal in var/)
	rm -rf $(VENV) $(SERVERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage dist build sbom.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- set-up ----------------------------------------------------------------------------------------------------------

# .run: what serving needs (fast); .dev: the test tools on top; .deploy: the container checks on top;
# .e2e: the browser's driver on top; .uv: the locker; .sbom: what lists the parts.
# Every step takes the stamps away first and sets them last.
$(VENV)/.run: pyproject.toml
	@$(FRESH_VENV)
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@rm -f $(VENV)/.run
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.run $@

$(VENV)/.deploy: $(VENV)/.dev
	@rm -f $(VENV)/.run
	@$(INSTALL) -e '.[dev,deploy]'
	@touch $(VENV)/.run $(VENV)/.dev $@

$(VENV)/.spark: $(VENV)/.dev
	@rm -f $(VENV)/.run
	@$(INSTALL) -e '.[dev,spark]'
	@touch $(VENV)/.run $(VENV)/.dev $@

$(VENV)/.e2e: $(VENV)/.dev
	@rm -f $(VENV)/.run
	@$(INSTALL) -e '.[dev,e2e]'
	@touch $(VENV)/.run $(VENV)/.dev $@

$(VENV)/.mutation: $(VENV)/.dev
	@rm -f $(VENV)/.run
	@$(INSTALL) -e '.[dev,mutation]'
	@touch $(VENV)/.run $(VENV)/.dev $@

$(VENV)/.sbom: | $(VENV)/.run
	@$(INSTALL) 'cyclonedx-bom>=7'
	@touch $@

$(VENV)/.uv: | $(VENV)/.run
	@$(INSTALL) 'uv>=0.5'
	@touch $@

# A server to test against is no part of the development environment: it brings a web framework of its own.
$(SERVERS)/.sekmet: | $(VENV)/.dev
	@rm -rf $(SERVERS)
	@echo "installing sekmet-fhir into $(SERVERS) ..." >&2
	@$(PY) -m venv $(if $(shell command -v uv),--without-pip) $(SERVERS)
	@if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(SERVERS)/bin/python sekmet-fhir==0.1.1; \
	else $(SERVERS)/bin/python -m pip install --quiet --disable-pip-version-check sekmet-fhir==0.1.1; fi
	@touch $@

# Install with uv when it is there (about five times faster), else with the environment's own pip.
define INSTALL
install() { \
	echo "installing $$* into $(VENV) ..." >&2; \
	if command -v uv >/dev/null 2>&1; then uv pip install --quiet --python $(PY) "$$@"; \
	else $(PY) -m pip install --quiet --disable-pip-version-check "$$@"; fi; }; install
endef

# An environment that was finished once is kept and updated; anything else is made from nothing.
define FRESH_VENV
set -e; \
fits() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }; \
if [ -f $(VENV)/.run ] && fits $(PY); then rm -f $(VENV)/.run $(VENV)/.dev $(VENV)/.deploy $(VENV)/.e2e $(VENV)/.mutation; exit 0; fi; \
found=; for each in $(if $(PYTHON),"$(PYTHON)",$(CANDIDATES)); do if fits "$$each"; then found=$$each; break; fi; done; \
if [ -z "$$found" ]; then \
	echo "calcinosis-cds needs Python 3.11 or newer. Found here:" >&2; \
	for each in $(if $(PYTHON),"$(PYTHON)",$(CANDIDATES)); do \
		if command -v "$$each" >/dev/null 2>&1; then echo "  $$each is $$("$$each" --version 2>&1)" >&2; \
		elif [ -n "$(PYTHON)" ]; then echo "  $$each is not there" >&2; fi; done; \
	echo "Install a newer one, or name it: make $(or $(MAKECMDGOALS),setup) PYTHON=/path/to/python3.12" >&2; \
	exit 1; \
fi; \
rm -rf $(VENV); echo "making $(VENV) with $$("$$found" --version) ..." >&2; \
if command -v uv >/dev/null 2>&1; then uv venv --quiet --python "$$(command -v "$$found")" $(VENV); \
elif ! "$$found" -m venv $(VENV) >/dev/null 2>&1; then \
	rm -rf $(VENV); echo "Could not make a virtual environment." \
	"On Debian and Ubuntu it needs: sudo apt install python3-venv" >&2; exit 1; \
fi
endef
