# "make ci" is what .ci/run calls. Every test runs once in it: race leaves the
# end-to-end tests to interop, which has installed what they need.

GO        ?= go
FUZZTIME  ?= 30s
BENCH     ?= .
BENCHTIME ?= 5s

# What the end-to-end tests use and Debian 12 has: see tests/harness/need.go.
PEERS = gcc haproxy iproute2 libc6-dev libnetconf2-dev libssh-dev libssl-dev libyang2-dev libyuma-base \
	netconfd openssh-client openssh-server openssl pebble pkg-config \
	python3 python3-ncclient util-linux yangcli

.PHONY: all build test fmt-check vet lint race interop peers bench fuzz ci

all: build

build:
	$(GO) build ./...

# What needs a peer that is not installed is skipped.
test:
	$(GO) test ./...

fmt-check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) tool staticcheck ./...

race:
	$(GO) test -race $$($(GO) list ./... | grep -v '/tests')

# The end-to-end tests, where a missing peer is a failure.
interop: peers
	CHGW_INTEROP=1 $(GO) test -race -count=1 -timeout 15m ./tests/...

peers:
	@dpkg -s $(PEERS) >/dev/null 2>&1 || { \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update && apt-get install -y --no-install-recommends $(PEERS); }

# Ratios are measured side by side in one run: figures of two runs do not compare.
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -timeout 30m ./...

fuzz:
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

ci: fmt-check vet lint race interop
