# PYTHON=python3.13 chooses the interpreter of new environments, and replaces
# those of another interpreter.
VENV := .venv
RUN := $(VENV)/bin/python
ifdef PYTHON
  STAMP := made-with-$(subst /,-,$(PYTHON))
else
  PYTHON := python3
  STAMP := $(or $(notdir $(firstword $(wildcard $(VENV)/made-with-*))),made-with-python3)
endif
# Pages need fewer packages than tests, whose environment has them too.
DOCS_VENV := $(if $(wildcard $(VENV)/$(STAMP)),$(VENV),.venv-docs)

.PHONY: help venv demo docs test notebooks lint format clean

help:
	@echo 'make venv       create $(VENV) with the project and its tools'
	@echo 'make demo       reproduce the main result on the digits data'
	@echo 'make test       lint, then test'
	@echo 'make notebooks  run the notebooks in colab/ again, at full size'
	@echo 'make docs       build the site, build/docs/index.html'
	@echo 'make format     format the code'
	@echo 'make clean      remove environments and build products'

venv: $(VENV)/$(STAMP)

$(VENV)/$(STAMP): EXTRA := test
.venv-docs/$(STAMP): EXTRA := docs
%/$(STAMP): setup.cfg pyproject.toml
	@echo 'installing into $* ...'
	@test -e $@ || $(PYTHON) -m venv --clear $*
	@$*/bin/python -m pip install --quiet --disable-pip-version-check \
	  --config-settings editable_mode=compat -e '.[$(EXTRA)]'
	@touch $@

demo: venv
	@$(RUN) -m experiments.run --study=parity --dataset=digits --workdir=runs/demo

docs: $(DOCS_VENV)/$(STAMP)
	@rm -rf build/docs
	@$(DOCS_VENV)/bin/python -m docs.build build/docs
	@echo build/docs/index.html

lint: venv
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .

test: lint
	@$(RUN) -m pytest --quiet --numprocesses=auto --dist=worksteal

notebooks: venv
	@$(RUN) -m colab.notebooks

format: venv
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

clean:
	rm -rf $(VENV) .venv-docs build *.egg-info
