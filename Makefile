# make demo   a virtual environment, the build, then a real program under `hpool run`
# make test   everything CI runs; installs what it needs
# make check  format, lint, types, import rules, unit tests; under a minute
# make build  the C parts again, in place
SHELL := /bin/bash
export PIP_DISABLE_PIP_VERSION_CHECK := 1
BIN := .venv/bin
C_FILES = $(shell find shadow sandbox interpose_c integration tests -name '*.[ch]' | sort)
C_INPUTS = $(shell find shadow sandbox interpose_c -name '*.[chS]' -o -name '*.def' -o -name '*.mk' -o -name '*.lds' -o -name 'build_*.py')

.DEFAULT_GOAL := build
.PHONY: build demo test check format stubs wheel clean

.venv/runtime: pyproject.toml setup.py .ci/venv
	.ci/venv .venv
	$(BIN)/pip install -q --no-build-isolation -e .
	touch $@ build/parts

.venv/tools: .venv/runtime
	$(BIN)/pip install -q --no-build-isolation -e '.[dev]'
	touch $@ build/parts

# setup.py knows what to compile again; make only knows when to ask it.
build/parts: .venv/runtime $(C_INPUTS)
	$(BIN)/python setup.py -q build_ext --inplace
	touch $@

build: build/parts

demo: build
	$(BIN)/python -I integration/demo.py

# `make -k check` goes on after the first complaint.
CHECKS := check-format check-lint check-c check-types check-imports check-unit
.PHONY: $(CHECKS)
check: $(CHECKS)
$(CHECKS): .venv/tools build

check-format:
	$(BIN)/ruff format --check

check-lint:
	$(BIN)/ruff check

check-c:
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)

check-types:
	$(BIN)/mypy build/types/hpool tests integration setup.py

check-imports:
	PYTHONPATH=build/types $(BIN)/lint-imports | sed '1,/^Contracts/d'; exit $${PIPESTATUS[0]}

check-unit:
	$(BIN)/pytest tests integration -q -m "not slow" -n 2 --dist loadfile || { [ $$? = 1 ] && echo "once more, what failed:" && \
		$(BIN)/pytest tests integration -m "not slow" --last-failed --last-failed-no-failures none; }

# Whole pools keep two processors busy by themselves: one test at a time, and a second try for what the
# machine was too busy for. What fails twice has failed.
test: .venv/tools build
	.ci/packages
	$(MAKE) --no-print-directory check
	$(BIN)/pytest tests integration -m slow $(PYTEST_FLAGS) || { [ $$? = 1 ] && echo "once more, what failed:" && \
		$(BIN)/pytest tests integration -m slow --last-failed --last-failed-no-failures none; }

format: .venv/tools
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/clang-format -i $(C_FILES)

stubs: .venv/tools
	$(BIN)/python -m hpool.matchmaker.api.generate

# What an older build left in build/lib would end up in the wheel.
wheel: .venv/tools
	rm -rf build/lib* build/bdist*
	$(BIN)/python -m build --no-isolation --wheel --outdir dist

clean:
	rm -rf build dist interpose_c/bin interpose_c/lib *.egg-info
	find shadow sandbox matchmaker interpose_c tests integration -name __pycache__ -prune -exec rm -rf {} +
	find shadow sandbox interpose_c -name '*.so' -o -name '*.o' | xargs -r rm -f
