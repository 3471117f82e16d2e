# PYTHON=python3.13 picks another interpreter.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/made-with-$(notdir $(PYTHON))
KERNELS := $(VENV)/compiled-kernels

.PHONY: help venv demo docs test notebooks lint format clean

help:
	@echo 'make venv       $(VENV) with the project and all its tests need'
	@echo 'make demo       the main result on the digits data: table and figure'
	@echo 'make test       lint and tests'
	@echo 'make notebooks  run the notebooks in colab/ anew, at their full size'
	@echo 'make docs       pages of the API, from build/docs/index.html on'
	@echo 'make format     format the code as the lint asks for'
	@echo 'make clean      remove $(VENV) and what was built'

venv: $(STAMP) $(KERNELS)

$(STAMP): setup.cfg pyproject.toml
	@echo 'installing into $(VENV) ...'
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check \
	  --config-settings editable_mode=compat -e '.[test]'
	@touch $@

# Where they cannot be compiled everything works without them, slower.
$(KERNELS): $(STAMP) $(wildcard ssnn_jax/spikes/cpu/*.h ssnn_jax/spikes/cpu/*.cc) ssnn_jax/spikes/compile_kernels.py
	@$(RUN) -m ssnn_jax.spikes.compile_kernels || true
	@touch $@

demo: venv
	@$(RUN) -m experiments.sweep --sweep=spike_train_length --workdir=runs/demo
	@$(RUN) -m experiments.plot --workdir=runs/demo

docs: venv
	@$(RUN) docs/build.py build/docs

lint: venv
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

test: lint
	@$(RUN) -m pytest --quiet --numprocesses=auto

notebooks: venv
	@$(RUN) -m colab.notebooks

format: venv
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) build *.egg-info ssnn_jax/spikes/cpu/*.so
