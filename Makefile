# The commands of README.md. Each works on a fresh Debian 12; `make deps` needs root when packages
# are missing, the rest runs as anybody (what needs root says so).
.PHONY: all deps demo test test-kernels check-all check-many check-long check-asan check-tsan check-fuzz bench install
.PHONY: format tidy clean image

JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
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
	ctest --test-dir $(BUILD)/ci --output-on-failure --no-tests=error -LE long

# What CI has no time for, too: clang-tidy, the tests under the sanitizers, fuzzers, another kernel.
# Stops at the first part that fails.
check-all:
	@times=; for part in test check-many check-long tidy check-asan check-tsan check-fuzz test-kernels; do \
	  start=$$(date +%s); \
	  $(MAKE) $$part || { echo "check-all: $$part failed" >&2; exit 1; }; \
	  times="$$times, $$part $$(($$(date +%s) - start)) s"; \
	done; echo "check-all: all passed$$times"

# Thousands of random rule sets, profiles and pairs of profiles: the document, the compiled program,
# the evaluator, the decision and the kernel.
check-many: deps
	cmake --preset ci >/dev/null
	cmake --build --preset ci -j $(JOBS) --target whittle_filter_test
	WHITTLE_RULE_SETS=20000 WHITTLE_KERNEL_PROFILES=1000 $(BUILD)/ci/tests/whittle_filter_test \
	  --gtest_filter='Faithful.*:Kernel.*'

# The live tests at their full length: every server watched twice, 10^8 calls, a minute of containers.
check-long: deps
	@tools/install-dependencies bench
	cmake --preset ci >/dev/null
	cmake --build --preset ci -j $(JOBS)
	WHITTLE_ALL=1 WHITTLE_ATTRIBUTION_SECONDS=60 ctest --test-dir $(BUILD)/ci --output-on-failure \
	  --no-tests=error -R '^long\.|live\.(same_run|no_loss|attribution)_test'

# The same tests as `make test`, in binaries that watch their memory (asan, with undefined
# behaviour) or their threads (tsan).
check-asan check-tsan: check-%: deps
	cmake --preset $* >/dev/null
	cmake --build --preset $* -j $(JOBS)
	ctest --test-dir $(BUILD)/$* --output-on-failure --no-tests=error -LE long

check-fuzz: deps
	cmake --preset fuzz >/dev/null
	cmake --build --preset fuzz -j $(JOBS)
	tools/run-fuzzers $(BUILD)/fuzz $(FUZZ_SECONDS)

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
	@tools/install-dependencies bench
	bench/exact $(BUILD)/release/whittle
	bench/lint $(BUILD)/release/whittle
	bench/run $(BUILD)/release/whittle
	bench/audit $(BUILD)/release/whittle

format:
	git ls-files '*.cc' '*.h' | grep -v '^bpf/' | xargs clang-format -i

# The image of the installer (docs/kube-export.md), with docker or podman: whittle:VERSION, from the
# static binary alone. BINARY is another one.
ENGINE ?= docker
BINARY ?= $(BUILD)/release/whittle
image: $(if $(filter command line,$(origin BINARY)),,all)
	@mkdir -p $(BUILD)/image && cp $(BINARY) $(BUILD)/image/whittle
	$(ENGINE) build -t whittle:$$($(BINARY) --version | cut -d' ' -f2) -f packaging/Dockerfile $(BUILD)/image

install: all
	cmake --install $(BUILD)/release --prefix $(PREFIX)

clean:
	rm -rf $(BUILD)
