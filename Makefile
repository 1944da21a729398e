# `make help` lists the targets. Needs git, make and any Python 3.8 or newer; the rest is
# fetched into .tools/ (uv) and .venv/ (the packages of requirements.lock).

# The Python of the environment: a version ("3.13"), a command or a path.
PYTHON ?= $(shell cat .python-version)
# Extras installed for the tests.
EXTRAS := probes,corpora,huggingface,ray,slurm,campaign,postgres,botorch,pdf,docs,loggers,dev
# Loggers that are installed aside, for the tests of what reads their logs.
LOGGERS := tests/runs/logs/loggers.txt
# Size of the calibration studies, and how many simulations run at once.
SIMULATIONS := 200
REPLICATES := 60
WORKERS := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# More words for pytest: make test ARGS="-k laws"
ARGS :=

UV := $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),.tools/uv/bin/uv)
VENV := .venv
INSTALL := $(UV) pip install --quiet --python $(VENV)/bin/python \
	--constraints requirements.lock --build-constraints requirements.lock

# One BLAS thread for each process: with more, two test workers fight for the same cores.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint docs format calibrate benchmark lock clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.stamp-demo ## run the demonstration; its results go to demo/
	@$(VENV)/bin/bayescmr demo --out demo

test: $(VENV)/.stamp-test $(if $(findstring loggers,$(EXTRAS)),$(VENV)/.stamp-loggers) ## run the whole test suite (ARGS="..." goes to pytest)
	@$(ONE_THREAD) $(VENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.stamp-test ## check style, formatting and types
	@$(VENV)/bin/ruff check --quiet --output-format concise
	@$(VENV)/bin/ruff format --check --quiet || \
		{ $(VENV)/bin/ruff format --check; echo "To mend it: make format"; exit 1; }
	@$(VENV)/bin/mypy --no-error-summary
	@echo "Style, formatting and types are in order."

docs: $(VENV)/.stamp-test ## build the site in site/; a warning or a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict --quiet
	@echo "Open site/index.html"

format: $(VENV)/.stamp-test ## mend style and formatting where ruff can
	@$(VENV)/bin/ruff check --fix --quiet
	@$(VENV)/bin/ruff format --quiet

calibrate: $(VENV)/.stamp-demo ## check calibration by simulation: hours; goes on where it stopped
	@mkdir -p build/calibration docs/calibration
	@for model in $$($(VENV)/bin/python -c 'import bayescmr as b; print(*b.model_names())'); do \
		echo "calibration of $$model"; \
		$(ONE_THREAD) $(VENV)/bin/bayescmr check sbc --model $$model --simulations $(SIMULATIONS) \
			--workers $(WORKERS) --out build/calibration/sbc_$$model.jsonl \
			--figure docs/calibration/sbc_$$model.png --json > build/calibration/sbc_$$model.json \
			|| [ $$? = 3 ] || exit 1; \
		mv build/calibration/sbc_$$model.json docs/calibration/; \
	done
	@$(ONE_THREAD) $(VENV)/bin/python case_studies/calibration/study.py \
		--replicates $(REPLICATES) --workers $(WORKERS)
	@$(VENV)/bin/python case_studies/calibration/page.py

lock: $(UV) ## write requirements.lock anew, with the newest versions
	@$(UV) pip compile --quiet --universal --python-version 3.12 --all-extras --upgrade \
		--no-annotate --no-header --output-file requirements.lock pyproject.toml

benchmark: $(VENV)/.stamp-benchmark ## measure the engine against others (about half an hour)
	@$(ONE_THREAD) $(VENV)/bin/python -W ignore case_studies/benchmarks/run.py
	@$(VENV)/bin/python case_studies/benchmarks/page.py

clean: ## remove results, build products and caches
	@rm -rf demo build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	@find bayescmr tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## the same, and the environment and uv too
	@rm -rf $(VENV) .tools

.tools/uv/bin/uv:
	@echo "Fetching uv into .tools/"
	@sh tools/get_uv.sh .tools/uv $(PYTHON)

$(VENV)/bin/python: | $(UV)
	@echo "Making $(VENV) with Python $(PYTHON)"
	@rm -rf $(VENV)
	@$(UV) venv --quiet --python $(PYTHON) $(VENV) || { \
		echo "No Python $(PYTHON) could be found or fetched. bayescmr needs 3.12 or newer:"; \
		echo "    make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; } >&2

$(VENV)/.stamp-demo: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing bayescmr into $(VENV)"
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.stamp-test: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing bayescmr with the extras $(EXTRAS) into $(VENV)"
	@$(INSTALL) --editable ".[$(EXTRAS)]"
	@touch $@ $(VENV)/.stamp-demo

# Loggers that cannot live in the environment; a test without them skips, and says so.
$(VENV)/.stamp-loggers: $(LOGGERS) | $(VENV)/.stamp-test
	@rm -rf $(VENV)/loggers
	@$(UV) pip install --quiet --python $(VENV)/bin/python --no-deps --target $(VENV)/loggers \
		--requirements $(LOGGERS) && touch $@ || { rm -rf $(VENV)/loggers; \
		echo "*** NOT INSTALLED: $(LOGGERS); its tests are SKIPPED ***" >&2; }

$(VENV)/.stamp-benchmark: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "Installing bayescmr with the extra benchmark into $(VENV)"
	@$(INSTALL) --editable ".[benchmark]"
	@touch $@ $(VENV)/.stamp-demo
