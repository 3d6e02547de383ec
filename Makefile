# One line a target: `make help` shows them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
NODE ?= node
SUBROOT := $(NODE) dist/cli/main.js

.PHONY: help setup demo check lint types test examples build bench clean

help: ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: system packages by apt where we may, then npm packages
	@sh scripts/setup.sh

build: setup ## build the published bundle into dist/
	@$(NODE) scripts/build.mjs

demo: build ## set everything up and run a pod whose root is nobody outside
	@sh scripts/demo.sh

lint: ## formatting, imports and the house's arrows
	@npx --no-install biome ci --max-diagnostics=30 --colors=off .

types: ## type-check everything
	@npx --no-install tsc --noEmit

test: build ## set everything up and pass the tests
	@sh scripts/setup.sh --test
	@$(NODE) scripts/test.mjs

check: lint types test ## all that CI checks

bench: build ## measure beside crun, runc, bwrap and unshare; writes docs/performance.md
	@sh scripts/setup.sh --bench
	@$(NODE) --import=tsx bench/run-all.ts

clean: ## remove what was built
	@rm -rf dist coverage bench/results
