# Two commands are all a new machine needs: `make demo` and `make test`. Each sets up what it lacks.
UV_VERSION := 0.13.8
UV := .tools/uv/bin/uv
RUN := .venv/bin
PYTHON ?= python3

.PHONY: help demo setup check test nightly act bench chaos test-core format schemas clean deploy redeploy status

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## Play the main job on this machine: no account, no Docker
	@$(RUN)/python -m sandbox demo

setup: .tools/ready ## uv, the dependencies, the engine, the sandbox's AWS; once

.tools/ready: uv.lock pyproject.toml service/pyproject.toml sandbox/ministack.txt releasectl/edges/engine.py | $(UV)
	@echo "setup: installing the locked dependencies into .venv"
	@$(UV) sync --frozen --quiet --compile-bytecode
	@$(RUN)/python -m releasectl.edges.engine
	@$(RUN)/python -c 'from sandbox import ministack; ministack.prepare()'
	@touch $@

$(UV):
	@echo "setup: installing uv $(UV_VERSION) into .tools"
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

check: setup .tools/actionlint ## Formatting, lint, types, imports, generated files, workflows
	@$(RUN)/ruff format --check --quiet . || { echo 'check: run `make format`'; exit 1; }
	@$(RUN)/ruff check --quiet .
	@$(RUN)/mypy
	@$(RUN)/lint-imports --no-cache
	@$(RUN)/python -m releasectl.schemas --check
	@$(RUN)/python -m stacks.settings --schema --check docs/settings.schema.json
	@$(RUN)/python -m releasectl.cli_reference --check
	@$(RUN)/python -m releasectl.errors_reference --check
	@$(UV) lock --check --quiet
	@$(RUN)/releasectl check
	@$(RUN)/zizmor --offline --persona=pedantic --quiet --no-progress .github
	@$(RUN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(RUN)/check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml tests/act/actions/*/action.yml
	@$(RUN)/check-jsonschema --quiet --builtin-schema vendor.dependabot .github/dependabot.yml
	@.tools/actionlint

# Its wheel downloads a program while it is built; the module that it is made of is pinned by its hash.
.tools/actionlint: .github/actionlint/go.mod .github/actionlint/go.sum
	@command -v go >/dev/null || { echo 'check: install Go, which builds actionlint: https://go.dev/doc/install'; exit 1; }
	@echo "check: building actionlint with Go, once"
	@go build -C .github/actionlint -o $(CURDIR)/$@ github.com/rhysd/actionlint/cmd/actionlint

# What runs the workflows on this machine; pinned by its hash, too.
.tools/act: .github/act/go.mod .github/act/go.sum
	@command -v go >/dev/null || { echo 'act: install Go, which builds act: https://go.dev/doc/install'; exit 1; }
	@echo "act: building act with Go, once"
	@go build -C .github/act -o $(CURDIR)/$@ github.com/nektos/act

# Many tests wait for processes that they started, so two for a processor keep it busy.
WORKERS ?= 4

test: setup ## What every change is tested with, in less than ten minutes
	@$(RUN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

nightly: setup .tools/act ## Every test, those that take minutes too, the loop's machine at length, some faults
	@NIGHTLY=1 LOOP_EXAMPLES=2000 $(RUN)/pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
	@$(RUN)/python -m tests.chaos --kills 10

act: setup .tools/act ## The steps of the workflows themselves, run on this machine against the sandbox
	@$(RUN)/pytest -p no:cacheprovider tests/act/test_*.py

ROUNDS ?= 3

bench: setup ## How long the job that deploys takes until it changes something: ROUNDS=3
	@$(RUN)/python -m tests.bench.cold_job --rounds $(ROUNDS)

KILLS ?= 20
JOBS ?= 2

chaos: setup ## The fault campaign: KILLS=20, SEED= for the same stories again, JOBS=2 sandboxes at once
	@$(RUN)/python -m tests.chaos --kills $(KILLS) --jobs $(JOBS) $(if $(SEED),--seed $(SEED))

test-core: setup ## The pure core alone, in seconds
	@$(RUN)/pytest --numprocesses 2 -p no:anyio -p no:cacheprovider tests/unit

ENVIRONMENT ?= staging
SERVICE ?= web

deploy: setup ## Pin the image with a tag, and release it: TAG=v1.4.0 ENVIRONMENT=staging SERVICE=web
	@test -n "$(TAG)" || { echo 'deploy: say which image: `make deploy TAG=v1.4.0`'; exit 2; }
	@$(RUN)/releasectl bump "$(SERVICE)" --tag "$(TAG)" --environment "$(ENVIRONMENT)"
	@$(RUN)/releasectl reconcile "$(ENVIRONMENT)"

redeploy: setup ## Restart what runs: ENVIRONMENT=staging
	@$(RUN)/releasectl redeploy $(ENVIRONMENT)

status: setup ## What is pinned, what runs, how it is
	@$(RUN)/releasectl status

format: setup ## Format and mend what can be mended
	@$(RUN)/ruff format --quiet .
	@$(RUN)/ruff check --fix --quiet .

schemas: setup ## Write what is generated anew: docs/*.schema.json, cli.md, errors.md
	@$(RUN)/python -m releasectl.schemas
	@$(RUN)/python -m stacks.settings --schema > docs/settings.schema.json
	@$(RUN)/python -m releasectl.cli_reference
	@$(RUN)/python -m releasectl.errors_reference

clean: ## Remove what setup made in this folder
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis
