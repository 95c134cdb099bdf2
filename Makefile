# Every entry point that people and CI use. `make help` explains them; uv does the work.

PACKAGES := $(sort $(notdir $(patsubst %/pyproject.toml,%,$(wildcard packages/*/pyproject.toml))))
TRAINED := $(notdir $(patsubst %/pyproject.toml,%,$(shell awk '/torchworks.recipes/ { print FILENAME; nextfile }' packages/*/pyproject.toml)))
TRAIN := $(TRAINED:%=train-%)
TEST := test-shared $(PACKAGES:%=test-%)
IMPORTS := imports-shared $(PACKAGES:%=imports-%)
PYTHON ?= python3

# The uv on PATH if it accepts this workspace (it may be too old), else a private copy.
ifndef UV
UV := $(or $(shell uv cache dir >/dev/null 2>&1 && command -v uv),.uv/bin/uv)
endif
# Without hard links between the cache and .venv uv copies anyway; this spares its warning.
COPY = $(shell cache=$$($(UV) cache dir 2>/dev/null) && mkdir -p "$$cache" && df -P "$$cache" . \
	| awk 'NR > 1 && !seen[$$1]++ { devices++ } END { if (devices > 1) print "--link-mode copy" }')
UVRUN = $(UV) run $(COPY)
# A fresh environment with what one member declares and nothing else.
ISOLATED = $(UV) run --isolated
# uv would warn that it does not use the first; with the second each start compiles torch's modules afresh.
unexport VIRTUAL_ENV PYTHONDONTWRITEBYTECODE

## make                    this help
## make setup              install everything into .venv (the other commands do it by themselves)
## make train-<package>    train; options: RECIPE=cgan DATA=folder:PATH ARGS="--trainer.steps 200"
## make serve RUN=<run>    answer requests to a finished run's model over HTTP, and show a page to try it
## make test               all tests of some seconds at most, two at a time
## make test-<package>     those of one package, or of shared, in an environment of its own
## make imports-<package>  import all its modules in an environment of their own
## make test-slow          the slower tests, which CI runs too
## make test-long          those that take minutes each, which CI runs in small
## make test-gpu           the tests that need a CUDA device
## make lint               check style
## make format             fix style
## make types              check types
## make bench              measure the trainer's speed beside others
## make bench-cnn-vision   measure training, loading and inference of vision nets beside others
## make bench-seq-models   measure nets of texts, series and sounds beside others
## make bench-diffusion    measure drawing and training of diffusion models beside another library
## make bench-hybrid-multimodal  measure recommenders, captions, CLIP and films beside others
## make bench-rl           measure training of agents beside another library
## make bench-serving      measure the service beside others
## make soak-serving       measure whether the service's memory grows in use; ARGS="--minutes 10"
## make doctor             what was found on this machine, what training will use, and what is wrong
## make lessons            list the lessons of the course
## make lesson             run one and prepare its exercises; NAME=tensors
## make check-lesson       check your answers to its exercises; NAME=tensors
## make notebooks          write all lessons as notebooks into lessons/notebooks
## make capstone           from raw DICOM files to a watched service, with a report; options: OUT=folder ARGS=--quick
## make new-package        write a package that trains and tests at once; NAME=my-models KIND=image or text
## make tensorboard        show the curves of runs/ in a browser
## make gallery            one HTML page of all finished runs, to compare them; options: RUNS=path OUT=file.html
## make pins               take the newest versions of all dependencies
## make clean              delete caches and build products; runs/ and .venv stay
help:
	@echo; sed -n 's/^## /  /p' Makefile
	@printf '\n  packages and their recipes\n'
	@for package in $(TRAINED); do \
		recipes=$$(awk '/^\[/ { on = /torchworks\.recipes/ } on && /=/ { printf "%s%s", comma, $$1; comma = ", " }' \
			packages/$$package/pyproject.toml); \
		printf '    %-20s %s\n' "$$package" "$$recipes"; \
	done
	@printf '\n  for example\n'
	@$(foreach package,$(TRAINED),printf '    %s\n' 'make train-$(package)' 'make test-$(package)';) echo

no-python = Torchworks needs Python 3.11 or newer, but '$(PYTHON)' is missing or older. \
	Install one, or name the one to use: make PYTHON=/path/to/python3.12 ...
no-venv = '$(PYTHON)' cannot make virtual environments. \
	Install its venv module (the system package python3-venv on Debian and Ubuntu) or uv itself, then try again.
.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "$(no-python)" >&2; exit 2; }
	@echo "uv is not on PATH, or too old: installing a private copy into .uv/" >&2
	@$(PYTHON) -m venv .uv >/dev/null || { rm -rf .uv; echo "$(no-venv)" >&2; exit 2; }
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.12.2,<0.14'

setup: | $(UV)
	@$(UV) sync --inexact $(COPY)
	@echo "Ready. Try: make train-$(firstword $(TRAINED))"

# Extras that the data of a package's recipes come from, and of single recipes.
EXTRAS-hybrid-multimodal := recommend
EXTRAS-hybrid-multimodal-molecules := molecules
EXTRAS-hybrid-multimodal-vqa-easy := vqa
EXTRAS-seq-models-classify-series := series
EXTRAS-seq-models-anomaly-series := series
EXTRAS-seq-models-fraud := series
EXTRAS-seq-models-pronounce := speech
$(TRAIN): train-%: | $(UV)
	@$(UVRUN) --package $* $(addprefix --extra ,$(EXTRAS-$*) $(EXTRAS-$*-$(RECIPE))) python -m torchworks.$(subst -,_,$*) train $(RECIPE) $(if $(DATA),--data '$(DATA)') $(ARGS)

serve: | $(UV)
	@[ -n '$(RUN)' ] || { echo "Name a finished run: make serve RUN=runs/cnn-vision/classify-digits/001" >&2; exit 2; }
	@$(UVRUN) serving serve '$(RUN)' $(ARGS)

QUICK = not gpu and not slow and not long
# One thread a worker: two workers with all threads each are slower than one.
# TORCHWORKS_TEST_BF16=1 or 0 decides what `--precision auto` takes on the CPU, whichever it is; see conftest.py.
test test-slow test-long $(TEST): export OMP_NUM_THREADS := 1
test: | $(UV)
	@$(UVRUN) pytest -n 2 --dist worksteal -m '$(QUICK)' $(ARGS)

$(TEST): test-%: | $(UV)
	@$(ISOLATED) --package $* --group test pytest -n 2 --dist worksteal -m '$(QUICK)' $(wildcard $*/tests packages/$*/tests) $(ARGS)

$(IMPORTS): imports-%: | $(UV)
	@$(ISOLATED) --package $* python tools/imports.py $*

test-slow: | $(UV)
	@$(UVRUN) pytest -n 2 --dist worksteal -m 'slow and not gpu and not long' $(ARGS)

test-long: | $(UV)
	@$(UVRUN) pytest -n 2 --dist worksteal -m long $(ARGS)

test-gpu: | $(UV)
	@$(UVRUN) python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || \
		{ echo "make test-gpu needs a CUDA device and finds none here; 'make doctor' says more." >&2; exit 2; }
	@$(UVRUN) pytest -m gpu $(ARGS)

lint: | $(UV)
	@$(UVRUN) --only-group lint ruff check $(ARGS)
	@$(UVRUN) --only-group lint ruff format --check

format: | $(UV)
	@$(UVRUN) --only-group lint ruff check --fix
	@$(UVRUN) --only-group lint ruff format

types: | $(UV)
	@$(UVRUN) ty check $(ARGS)

# In an environment of its own, so that the peers never reach .venv.
bench: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_trainer.py $(ARGS)

bench-cnn-vision: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_vision.py $(ARGS)

bench-seq-models: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_sequences.py $(ARGS)

bench-diffusion: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_diffusion.py $(ARGS)

bench-hybrid-multimodal: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_hybrid.py $(ARGS)

bench-rl: | $(UV)
	@$(UVRUN) python tests/benchmarks/bench_agents.py $(ARGS)

bench-serving: | $(UV)
	@$(ISOLATED) --group peers python tests/benchmarks/bench_serving.py $(ARGS)

soak-serving: | $(UV)
	@$(UVRUN) python tests/benchmarks/soak.py $(ARGS)

doctor: | $(UV)
	@$(UVRUN) --package shared python -m torchworks.shared.machine.doctor

tensorboard: | $(UV)
	@$(UVRUN) --package shared --extra tensorboard tensorboard --logdir runs $(ARGS)

gallery: | $(UV)
	@$(UVRUN) --package shared python -m torchworks.shared.runs.gallery '$(or $(RUNS),runs)' $(if $(OUT),--out='$(OUT)') $(ARGS)

LESSONS = $(UVRUN) python -m torchworks.lessons
lessons: | $(UV)
	@$(LESSONS) list

lesson: | $(UV)
	@$(LESSONS) run '$(NAME)'

check-lesson: | $(UV)
	@$(LESSONS) check '$(NAME)'

notebooks: | $(UV)
	@$(LESSONS) notebooks $(ARGS)

capstone: | $(UV)
	@$(UVRUN) python -m torchworks.lessons.capstone $(if $(OUT),--out='$(OUT)') $(ARGS)

new-package: | $(UV)
	@[ -n '$(NAME)' ] || { echo "Name the package: make new-package NAME=my-models" >&2; exit 2; }
	@$(UV) run --no-project python tools/new_package.py '$(NAME)' $(if $(KIND),--kind '$(KIND)')

pins: | $(UV)
	@$(UV) run --no-project python tools/pin.py $(ARGS)

clean:
	@find . \( -path ./.venv -o -path ./.uv -o -path ./runs \) -prune -o -name __pycache__ -prune -exec rm -rf {} +
	@rm -rf .pytest_cache .ruff_cache .hypothesis build dist shared/dist packages/*/dist
	@echo "Kept: runs/ (your results), .venv and .uv (delete them yourself if you mean to)."

train-serving:
	@echo "The package serving has no recipes. It serves what others trained: make serve RUN=runs/…" >&2; exit 2

train-% test-% imports-%: # only an unknown name gets here
	@echo "There is no package '$*'. Packages: $(PACKAGES). 'make help' lists all commands." >&2; exit 2

.PHONY: help setup $(TRAIN) serve test $(TEST) $(IMPORTS) test-slow test-long test-gpu lint format types bench bench-cnn-vision bench-seq-models bench-diffusion bench-hybrid-multimodal bench-rl bench-serving soak-serving doctor tensorboard gallery lessons lesson check-lesson notebooks capstone new-package pins clean
