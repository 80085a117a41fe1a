# What a newcomer needs: `make demo` and `make test`. Everything else is for those who change the code.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)

SEEDS ?= 10000
FROM ?= 0

.PHONY: help tools demo build test torture simulate compare-sql fuzz-sql lint deb fmt tidy bench bench-accuracy clean \
  ui ui-if-can ui-test ui-flows

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

tools: ## Say what is missing on this machine, if anything.
	@missing=0; \
	command -v $(CARGO) >/dev/null 2>&1 || { echo "missing: cargo. Install the Rust toolchain (rustup.rs), version 1.95 or newer." >&2; missing=1; }; \
	command -v cc >/dev/null 2>&1 || { echo "missing: a C compiler. On Debian: apt-get install build-essential" >&2; missing=1; }; \
	if [ $$missing = 0 ]; then \
	  have=$$(rustc --version | cut -d' ' -f2); \
	  [ "$$(printf '1.95.0\n%s\n' "$$have" | sort -V | head -n1)" = 1.95.0 ] || { echo "rustc $$have is too old: 1.95 or newer is needed (rustup update)" >&2; missing=1; }; \
	fi; \
	command -v npm >/dev/null 2>&1 || echo "optional: Node 20 or newer with npm, for the web console. On Debian 13: apt-get install nodejs npm" >&2; \
	exit $$missing

ui: ## Build the web console into ui/dist (Node 20 or newer, npm); the next `make build` takes it into the program.
	cd ui && npm ci --no-audit --no-fund && npm run build

# As `ui`, where that can be done and the sources are newer; a machine without Node, or without network, goes on without.
ui-if-can:
	@if [ -f ui/dist/index.html ] && [ -f ui/.built ] && [ -z "$$(find ui/src ui/build.mjs ui/package-lock.json -newer ui/.built)" ]; then :; \
	elif ! command -v npm >/dev/null 2>&1 || [ "$$(node -p 'parseInt(process.versions.node)')" -lt 20 ]; then \
	  echo "no Node 20 with npm here: the program is built without its web console (make tools)" >&2; \
	elif ! (cd ui && npm ci --no-audit --no-fund --prefer-offline --fetch-retries 1 --fetch-timeout 20000 >/dev/null); then \
	  echo "npm could not fetch what the web console is built with: the program is built without it" >&2; \
	else cd ui && npm run --silent build; fi

ui-test: ## Test the console's pure parts (where it can be built).
	@if [ -d ui/node_modules ]; then cd ui && npm test --silent; else echo "the console's tests are skipped: no ui/node_modules (make ui)" >&2; fi

ui-flows: build ## Drive the console in Chromium against a real server; needs `apt-get install chromium`.
	cd ui && FOREWARN=$(abspath $(TARGET))/debug/forewarn npm run --silent flows

build: tools ui-if-can ## Build the program (the profile that demo, tests and CI share).
	$(CARGO) build --workspace --locked --bins

demo: build ## Build, then run a simulated plant with everything embedded; Ctrl-C ends it.
	$(TARGET)/debug/forewarn demo

test: build ui-test ## Run all tests.
	$(CARGO) test --workspace --locked

torture: build ## Kill the server some 600 times, at every step of its work; about 15 minutes (ROUNDS=8).
	FOREWARN_TORTURE_ROUNDS=$(or $(ROUNDS),8) $(CARGO) test --workspace --locked --test it -- kills_at_every_step --nocapture

simulate: tools ## Simulate a failing disk and store: SEEDS=10000 seeds from FROM=0 on; TRACE=7 tells what seed 7 does; PROFILE=release is faster.
	$(CARGO) build --workspace --locked --bin simulate $(if $(filter release,$(PROFILE)),--release)
	$(TARGET)/$(if $(filter release,$(PROFILE)),release,debug)/simulate $(if $(TRACE),--trace $(TRACE),$(FROM) $(SEEDS))

compare-sql: build ## Ask the server and DuckDB the same questions: QUESTIONS=10000 of SEED=1; needs FOREWARN_PYTHON (see .ci/run).
	FOREWARN_QUESTIONS=$(or $(QUESTIONS),10000) FOREWARN_SEED=$(or $(SEED),1) $(CARGO) test --workspace --locked --test it -- questions_are_answered --nocapture

fuzz-sql: build ## Ask the server broken and hostile questions: SECONDS=600 of SEED, or of the clock's.
	FOREWARN_FUZZ_SECONDS=$(if $(filter command line,$(origin SECONDS)),$(SECONDS),600) FOREWARN_SEED=$(or $(SEED),$$(date +%s)) $(CARGO) test --workspace --locked --test it -- no_question_harms --nocapture

lint: tools ui-if-can ## Check formatting, clippy without warnings, and the rules of the house.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(MAKE) --no-print-directory tidy
	@if command -v cargo-deny >/dev/null 2>&1; then $(CARGO) deny --locked --offline check bans licenses sources; else echo "cargo-deny is not installed: licences and sources were checked by make tidy alone"; fi

tidy: ## Check sizes, module circles, floors, crate arrows, dependencies and layout; takes seconds.
	$(CARGO) test --locked --package forewarn-tidy

deb: tools ## Build a Debian package of the release binary into target/debian.
	$(CARGO) build --locked --release --bin forewarn
	packaging/deb.sh $(TARGET)/release/forewarn $(TARGET)/debian

fmt: ## Format the code.
	$(CARGO) fmt --all

bench: tools ## Measure, with baselines from the same run (release build; slow the first time).
	$(CARGO) build --workspace --locked --release --bins
	$(CARGO) bench --workspace --locked --bench step --bench decode --bench end_to_end --bench lake --bench memory
	$(CARGO) test --manifest-path tests/append/Cargo.toml --target-dir $(TARGET) --locked --release
	$(CARGO) bench --manifest-path tests/append/Cargo.toml --target-dir $(TARGET) --locked

bench-accuracy: build ## Accuracy of alerts and predictions on the reference data.
	FOREWARN_NEED_DATA=1 $(CARGO) test --workspace --locked --test it -- accuracy --nocapture

clean: ## Remove what was built and what the demo stored.
	$(CARGO) clean
	rm -rf data
