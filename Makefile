# `make demo` and `make test` are all a newcomer needs; both set up what they need first.

export CARGO_TARGET_DIR ?= $(CURDIR)/target
BIN := $(CARGO_TARGET_DIR)/debug/cscopilot
XTASK := $(CARGO_TARGET_DIR)/debug/cscopilot-xtask
# The shared real data lies beside the checkout in our CI; a user has none, and what needs it says so.
SHARED ?= $(CURDIR)/../shared
export CSCOPILOT_SHARED := $(SHARED)

.PHONY: help deps servers build demo test test-rust test-projects test-clients test-snowflake test-large soak bench-extract bench-learn bench-scoring study study-examples lint fmt drift schemas audit bench bench-smoke clean

help: ## Lists the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Installs what is missing (apt or brew) and fetches the pinned XGBoost library
	@scripts/deps.sh

# The whole workspace, so that the tests find every dependency compiled with the same features.
build: deps ## Builds the binary
	cargo build --workspace

demo: build ## Simulates a company, runs one night and says where the report is
	@BIN="$(BIN)" scripts/demo.sh

test: deps servers test-rust test-projects test-clients ## Runs all tests

servers: ## Installs the servers that tests start: databases, object stores, Redis, a Stripe
	@scripts/servers.sh

test-rust: deps servers
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --workspace; \
	else \
		cargo test --workspace; \
	fi

test-projects: build ## Checks the starter project and the examples and runs their SQL tests
	@BIN="$(BIN)" SHARED="$(SHARED)" scripts/test-projects.sh

test-clients: build ## Reads the fakes with the vendors' own public clients, and compares
	@python3 scripts/clients/check.py "$(BIN)"

test-snowflake: deps ## Reads from a server of Snowflake's protocol, through Snowflake's own driver
	@scripts/servers.sh snowflake
	cargo nextest run --workspace --no-capture -E 'test(snowflake)'

test-large: deps ## A table of 20 million rows in bounded memory; prints seconds and memory
	cargo nextest run --workspace --no-capture --run-ignored only -E 'test(large_tables)'

soak: build ## Faults at twenty positions of each vendor, and a hundred kills of an extraction: an hour or two
	CSCOPILOT_FAULT_POSITIONS=20 CSCOPILOT_EXTRACT_KILLS=100 cargo nextest run --workspace --no-capture -E 'test(faults_of) or test(kills_of)'

lint: deps ## fmt, clippy, drift
	cargo fmt --all --check
	@# Clippy as the workspace's compiler shares the dependencies with `cargo build`; `cargo clippy` would check all of them again.
	RUSTC_WORKSPACE_WRAPPER=clippy-driver cargo build --workspace --all-targets 2>&1 | scripts/no-warnings.sh
	$(MAKE) drift

drift: build ## Fails if generated files are not what the code generates
	$(XTASK) schemas --check

schemas: build ## Writes schemas/ from the types
	$(XTASK) schemas

fmt: ## Formats the code
	cargo fmt --all

audit: ## Licences, bans and advisories (needs cargo-deny)
	cargo deny check

bench: build ## 20,000 accounts and 20 million usage rows: seconds and memory per step, as JSON
	$(XTASK) bench nightly --bin "$(BIN)"

bench-smoke: build ## The short form of `bench`
	$(XTASK) bench nightly --bin "$(BIN)" --accounts 200 --months 6 --events-per-day 500

bench-extract: build ## One stream of 2 and 10 million records, beside dlt on the same fake, as JSON
	$(XTASK) bench extract --bin "$(BIN)"

bench-learn: build ## Training beside Python's XGBoost, and explanations beside XGBoost and treeshap on the same model, as JSON
	$(XTASK) bench learn

study-examples: build ## Explanations against a reference and XGBoost on the examples' models; permuted labels of crm5
	@BIN="$(BIN)" SHARED="$(SHARED)" scripts/study-examples.sh

STUDY ?= $(CARGO_TARGET_DIR)/study
study: build ## Models of simulated companies of 500 to 50,000 customers, against the true hazards: an hour
	$(XTASK) study companies --bin "$(BIN)" --out "$(STUDY)"
	CSCOPILOT_STUDY="$(abspath $(STUDY))" cargo nextest run --workspace --no-capture --run-ignored only -E 'test(study_)'
	$(XTASK) study plot --figures "$(STUDY)/figures.json" --out docs/images/learning-curve.svg

bench-scoring: build ## A million accounts scored from Parquet to Parquet, with and without explanations, as JSON
	$(XTASK) bench learn --scoring 1000000 --rounds 3

clean: ## Removes what the demo made
	rm -rf data lake
