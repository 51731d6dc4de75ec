# The commands of README.md. Each works on a fresh Debian 12; `make deps` needs root when packages
# are missing, the rest runs as anybody (what needs root says so).
.PHONY: all deps demo test test-kernels check-all bench install format tidy clean

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
BUILD := build

all: deps-build
	cmake --preset release >/dev/null
	cmake --build --preset release -j $(JOBS)

.PHONY: deps-build deps-test
deps-build:
	@tools/install-dependencies build
deps-test:
	@tools/install-dependencies build test
deps:
	@tools/install-dependencies

# Records a real nginx, writes its profile, and proves it under runc (as root) or natively.
demo: deps-test all
	@demo/run $(BUILD)/release/whittle

# The tests that CI runs, on the binary that users get: static checks, unit, cli, live.
test: deps
	tools/check-includes
	tools/check-format
	cmake --preset ci >/dev/null
	cmake --build --preset ci -j $(JOBS)
	ctest --test-dir $(BUILD)/ci --output-on-failure --no-tests=error

# What CI has no time for: sanitizers, clang-tidy, fuzzers.
check-all: test tidy test-kernels
	for preset in asan tsan; do \
	  cmake --preset $$preset >/dev/null && cmake --build --preset $$preset -j $(JOBS) && \
	  ctest --test-dir $(BUILD)/$$preset --output-on-failure -L 'unit|cli' || exit 1; \
	done
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j $(JOBS)
	tools/run-fuzzers $(BUILD)/fuzz 60

# The recorder on Debian 12's own kernel, in qemu.
test-kernels: deps
	@tools/install-dependencies kernels
	cmake --preset ci >/dev/null
	cmake --build --preset ci -j $(JOBS)
	tests/kernels/run $(BUILD)/ci/whittle $(BUILD)/ci

tidy: deps
	cmake --preset tidy >/dev/null
	cmake --build --preset tidy --target whittle_bpf
	tools/check-tidy $(BUILD)/tidy $(JOBS)

bench: deps all
	bench/run $(BUILD)/release/whittle

format:
	git ls-files '*.cc' '*.h' | grep -v '^bpf/' | xargs clang-format -i

install: all
	cmake --install $(BUILD)/release --prefix $(PREFIX)

clean:
	rm -rf $(BUILD)
