# make demo   installs, then trains, predicts, verifies and learns on a simulated market
# make test   installs, then runs the tests
# make check  lint and types, then the tests
# GPU=1 beside any of them installs TensorFlow and XGBoost as built for NVIDIA's GPUs, and so does every later make until GPU=0

PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
INSTALL = $(RUN) .ci/install $(VENV)
GPU ?= $(if $(wildcard $(VENV)/*-gpu.installed),1,0)
BUILD := $(if $(filter-out 0,$(GPU)),gpu,cpu)
LOCK := $(if $(filter gpu,$(BUILD)),requirements-gpu.lock,requirements.lock)

.PHONY: install install-dev demo test fuzz check lint bench image quality lock audit docs clean

install: $(VENV)/runtime-$(BUILD).installed
install-dev: $(VENV)/dev-$(BUILD).installed

$(RUN):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing; install Python 3.11 with venv, or name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime-$(BUILD).installed: $(LOCK) | $(RUN)
	@$(INSTALL) $(LOCK)
	@rm -f $(VENV)/*.installed
	@touch $@

# the development lock holds requirements.lock; the GPU builds replace the others afterwards
$(VENV)/dev-$(BUILD).installed: requirements-dev.lock $(LOCK) | $(RUN)
	@$(INSTALL) requirements-dev.lock $(filter requirements-gpu.lock,$(LOCK))
	@rm -f $(VENV)/*.installed
	@touch $@ $(VENV)/runtime-$(BUILD).installed

demo: install
	@sh examples/demo.sh

test: install-dev
	$(RUN) -m pytest -n 2 --dist worksteal

# 20,000 hostile files for each reader of files, within limits of time and memory; FUZZ="2000 bundle" for fewer
fuzz: install-dev
	$(RUN) tests/fuzz/run_fuzz.py $(FUZZ)

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache

check: lint test

COMPILE := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

lock: install-dev
	$(COMPILE) requirements-uv.txt --output-file requirements-uv.lock
	$(COMPILE) requirements.txt --output-file requirements.lock
	grep -vE '^(tensorflow|xgboost)' requirements.txt | cat - requirements-gpu.txt | \
		$(COMPILE) - --constraint requirements.lock --output-file requirements-gpu.lock
	$(COMPILE) requirements-dev.txt --constraint requirements.lock --constraint requirements-uv.lock --output-file requirements-dev.lock

# known vulnerabilities of the locked versions, by pip-audit from the index; exit code 3 where that could not be asked
audit: install-dev
	$(RUN) .ci/audit $(VENV)/bin/uv tool run --quiet --from pip-audit==2.10.1 pip-audit

# the whole system over real and simulated markets and past decades, beside baselines; half an hour on two cores, QUALITY=--quick half a minute
quality: install-dev
	$(RUN) benchmarks/quality/quality.py $(QUALITY)

# speed, each target printed as met or missed; an hour and a half on two idle cores; with BEFORE=REVISION set-up, a day's
# commands, training and the monthly replay beside that version, in the same run, another hour and a half
bench: install-dev
	$(RUN) benchmarks/machine.py
	$(if $(BEFORE),$(RUN) benchmarks/speed/setup_speed.py $(BEFORE))
	$(if $(BEFORE),$(RUN) benchmarks/speed/versions_speed.py $(BEFORE))
	$(RUN) benchmarks/speed/predict_speed.py
	$(RUN) benchmarks/speed/log_scale.py $(if $(BEFORE),--before $(BEFORE))
	$(RUN) benchmarks/speed/train_speed.py $(BEFORE)
	$(if $(BEFORE),$(RUN) benchmarks/speed/replay_speed.py $(BEFORE))
	$(if $(BEFORE),$(RUN) benchmarks/speed/replay_error.py $(BEFORE))
	$(RUN) benchmarks/speed/cluster_speed.py

# the image of Dockerfile, tried out; nothing is built where no Docker answers
image:
	@if docker info >/dev/null 2>&1; then docker build --tag stockml . && docker run --rm --network none stockml stockml-predict --version; \
	else echo "No Docker answers here, so the image is not built."; fi

# renews the output shown in README.md and docs/: make docs PRICES=DIR
docs: install
	$(RUN) examples/refresh_docs.py $(PRICES)

clean:
	rm -rf $(VENV) demo build stockml.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
