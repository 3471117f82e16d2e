VENV := .venv
RUN := $(VENV)/bin/python
# PYTHON=python3.13 chooses the interpreter of a new environment.
PYTHON := python3

.PHONY: help venv demo test lint mutants docs notebooks format clean

help:
	@echo 'make venv       create $(VENV) with the project and its tools'
	@echo 'make demo       the paper network and a model by spikes, on digits, and a figure'
	@echo 'make test       lint, then test'
	@echo 'make mutants    ask whether tests find mistakes, for an hour or two'
	@echo 'make docs       build the site, build/docs/index.html'
	@echo 'make notebooks  run the notebooks in colab/ again'
	@echo 'make format     format the code'
	@echo 'make clean      remove the environment and what was built'

venv: $(VENV)/tools
ifeq ($(origin PYTHON),command line)
	@echo "$(VENV) has $$($(RUN) --version); for another one, make clean first"
endif

# What commands need, and what tests, pages and the site need besides.
$(VENV)/installed: EXTRA = experiments
$(VENV)/tools: EXTRA = test
$(VENV)/installed $(VENV)/tools: setup.cfg pyproject.toml
	@test -e $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --disable-pip-version-check -e '.[$(EXTRA)]' \
		--config-settings editable_mode=compat
	@touch $@ $(VENV)/installed

demo: $(VENV)/installed
	@$(RUN) -m experiments.demo
	@echo 'next: $(RUN) -m experiments.run --study=unchanged --dataset=fashion_mnist --download'

lint: $(VENV)/tools
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

test: lint
	@$(RUN) -m pytest --quiet --numprocesses=auto --dist=loadfile

mutants: $(VENV)/tools
	@$(RUN) -m tests.chip_mutants
	@$(RUN) -m tests.spike_mutants

docs: $(VENV)/tools
	@rm -rf docs/api  # pages of modules that went
	@$(RUN) -m sphinx -b html -c docs -W --keep-going -q . build/docs
	@echo build/docs/index.html

notebooks: $(VENV)/tools
	@$(RUN) -m colab.notebooks

format: $(VENV)/tools
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) build docs/api *.egg-info
