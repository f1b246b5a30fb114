# `make` alone lists the targets.

GO        ?= go
# Which packages the test and bench targets take, and further flags for go test.
PKG       ?= ./...
TESTFLAGS ?=
# For `make bench`: which benchmarks, and how long each runs.
BENCH     ?= .
BENCHTIME ?= 1s
# For `make bench-compare`: with which revision, and how many rounds.
BASE      ?=
COUNT     ?= 6
# For `make test-console`: an absolute folder for pictures.
PICTURES  ?=
# For `make fuzz`: seconds altogether.
FUZZ_TIME ?= 600
# Further arguments for `make run`.
ARGS      ?=

# The commit's own date keeps builds of one commit alike.
VERSION := $(shell git describe --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse --verify -q HEAD 2>/dev/null || echo unknown)
DATE    := $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)
LDFLAGS := -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)

# The race detector needs a C compiler, the service does not. It looks at memory of Go
# alone: SQLite, C that was translated to Go, keeps its own outside, so that watching its
# every step would find nothing and take half of the time. The driver around it is watched.
UNWATCHED := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false
RACE := $(shell command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo -race $(UNWATCHED))

# Gives programs that are measured a core of their own, where there are two.
TASKSET := $(shell [ "$$(nproc 2>/dev/null || echo 1)" -gt 1 ] && command -v taskset)

# The pinned tools; tools.go tells what they are for.
TOOL := CGO_ENABLED=0 $(GO) tool -modfile=tools/go.mod

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build and serve on http://127.0.0.1:8080 (ARGS="--config FILE")
	@exec bin/hal9 serve $(ARGS)

# gin's MessagePack, which nothing here speaks, is a tenth of the program. gRPC, of which only
# types are used, brings its tracing pages and their templates along without grpcnotrace.
.PHONY: build
build: ## build bin/hal9
	CGO_ENABLED=0 $(GO) build -tags nomsgpack,grpcnotrace -buildvcs=false -trimpath -ldflags "$(LDFLAGS)" -o bin/hal9 ./cmd/hal9

.PHONY: test
test: bin/testenv ## run the tests with PostgreSQL and Valkey or Redis (PKG=./store TESTFLAGS="-run Neuron")
	@$(if $(RACE),,echo "no C compiler: testing without the race detector" >&2)
	$(if $(RACE),CGO_ENABLED=1) bin/testenv run -- $(GO) test $(RACE) -timeout 9m $(TESTFLAGS) $(PKG)
	$(if $(filter ./...,$(PKG)),@$(MAKE) --no-print-directory test-go-client)

# The same build as the tests', so that only linking is left to do. The client is a module
# of its own, which PKG=./... does not reach.
.PHONY: test-go-client
test-go-client: ## run the tests of clients/go and examples/go against a service
	$(if $(RACE),CGO_ENABLED=1) $(GO) build $(RACE) -buildvcs=false -o bin/hal9-tested ./cmd/hal9
	HAL9_TEST_PROGRAM=$(CURDIR)/bin/hal9-tested $(if $(RACE),CGO_ENABLED=1) $(GO) -C clients/go test $(RACE) -timeout 2m $(TESTFLAGS) ./...

.PHONY: test-clients
test-clients: build test-go-client ## check and run both clients and all examples (needs npm and the network)
	sh tools/typescript-check.sh


.PHONY: test-pooler
test-pooler: bin/testenv ## run the store's conformance suite through a PgBouncer in transaction mode
	bin/testenv run --pooler -- $(GO) test -tags faults -v -count 1 -timeout 5m -run '^TestLongPgBouncer' $(TESTFLAGS) ./store

# The time is divided evenly: a target is found by being one.
.PHONY: fuzz
fuzz: bin/testenv ## fuzz all decoders, and the API on both engines, in 10 minutes (FUZZ_TIME=600 seconds)
	FUZZ_TIME='$(FUZZ_TIME)' bin/testenv run -- sh tools/fuzz.sh

.PHONY: mutations
mutations: bin/testenv ## break the code place by place and see that the tests of docs/promises.md fail, half an hour (ARGS="--only REGEXP")
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/mutations ./internal/mutations
	bin/testenv run -- bin/mutations $(ARGS)

.PHONY: bench
bench: bin/testenv ## run the benchmarks (PKG=./store BENCH=Signal BENCHTIME=1s)
	PKG='$(PKG)' BENCH='$(BENCH)' BENCHTIME='$(BENCHTIME)' TESTFLAGS='$(TESTFLAGS)' bin/testenv run --durable -- sh tools/bench.sh

.PHONY: test-console
test-console: build bin/testenv ## test the console in Chromium (needs node and chromium; PICTURES=folder keeps pictures)
	PICTURES='$(PICTURES)' sh tools/console/run.sh sqlite
	bin/testenv run -- sh tools/console/run.sh postgres

# Bounded by the tests' own time-outs and the two limits here.
.PHONY: cache-faults
cache-faults: bin/testenv ## what callers see when Valkey is killed, frozen, full, slow …: added p99, time to recover
	bin/testenv run -- $(GO) test -tags faults -v -count 1 -timeout 5m -run '^TestLong(Faults|QueueLoss)$$' $(TESTFLAGS) ./cacheutil

.PHONY: network-faults
network-faults: bin/testenv ## latency, cuts and half-open connections to PostgreSQL and Valkey, up to 4 minutes (QUICK=1 one)
	QUICK='$(QUICK)' bin/testenv run -- $(GO) test -tags faults -v -count 1 -timeout 4m -run '^TestLongNetworkFaults$$' $(TESTFLAGS) ./cmd/hal9

.PHONY: cache-topologies
cache-topologies: bin/testenv ## the cache while masters fail under Sentinel and in a cluster
	bin/testenv run -- $(GO) test -tags faults -v -count 1 -timeout 5m -run '^TestLongFailovers$$' $(TESTFLAGS) ./cacheutil

.PHONY: cache-races
cache-races: ## look for stale values in 100,000 races of two processes (minutes)
	$(GO) test -count 1 -v -timeout 10m -run '^TestRaces$$' ./cacheutil -rounds 100000 -kills 200

.PHONY: login-timing
login-timing: bin/testenv ## tell from 2,000 refused logins whether their time gives names away
	bin/testenv run -- $(GO) test -tags faults -v -count 1 -timeout 5m -run '^TestLongLoginTimes$$' $(TESTFLAGS) ./auth

.PHONY: test-observe
test-observe: bin/testenv ## dashboards, alerts and /metrics with a real Prometheus (installs Debian's as root)
	sh tools/prometheus.sh
	bin/testenv run -- $(GO) test -tags observe -count 1 -v -timeout 5m -run '^TestObserve$$' ./cmd/hal9

.PHONY: cluster
cluster: build bin/cluster ## run servers, PostgreSQL under Patroni, etcd, HAProxy, Redis on loopback (ARGS="--servers 3 --cache cluster")
	@exec bin/cluster up $(ARGS)

# Bounded by each event's own limit, and by this one.
.PHONY: cluster-test
cluster-test: build bin/cluster ## kill its parts under load and tell what was lost, up to 10 minutes (QUICK=1 two; ARGS="--async")
	sh tools/cluster-next.sh
	timeout -s INT -k 60 600 bin/cluster test --next bin/hal9-next $(if $(QUICK),--quick) $(ARGS)

# Bounded by each wait's own limit, and by this one. As root it may mount and installs nothing.
.PHONY: faults
faults: build ## kill the server and PostgreSQL, fill the disk, fail syncs; tell what was lost, up to 20 minutes (QUICK=1 three)
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/faults ./bench/faults
	timeout -s INT -k 60 $(if $(QUICK),180,1200) bin/faults $(if $(QUICK),--quick) $(ARGS)

# Bounded by --duration, and by what each wait may take.
.PHONY: soak
soak: build ## load a server for 15 minutes and tell whether it stays flat (QUICK=1 one; ENGINE=sqlite ARGS="--duration 1h")
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/soak ./bench/soak
	bin/soak --engine $(or $(ENGINE),postgres) $(if $(QUICK),--duration 1m) $(ARGS)

.PHONY: scaling
scaling: build bin/cluster ## measure what a request costs with 1, 2 and 4 servers (ARGS="--duration 15s")
	timeout -s INT -k 60 600 taskset -c 1 bin/cluster scaling $(ARGS)

# The databases get the first core, as the server does, where taskset is there.
.PHONY: overload
overload: build bin/testenv ## measure what too many requests, logins and dripping clients do, up to 5 minutes (QUICK=1 1.5; ARGS="--json")
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/ ./bench/overload
	$(if $(TASKSET),taskset -c 0) timeout -s INT -k 30 300 bin/testenv run --durable -- $(if $(TASKSET),taskset -c 0-$(shell expr $$(nproc) - 1)) \
		bin/overload $(if $(QUICK),--quick) $(ARGS)

.PHONY: bench-compare
bench-compare: bin/testenv ## compare benchmarks with a revision (BASE=main PKG=./store BENCH=Signal COUNT=6)
	PKG='$(PKG)' BENCH='$(BENCH)' BENCHTIME='$(BENCHTIME)' COUNT='$(COUNT)' bin/testenv run --durable -- sh tools/bench-compare.sh '$(BASE)'

.PHONY: bench-baseline
bench-baseline: build bin/testenv ## set the service beside bare gin and plain servers (ARGS="--rounds 3 --seconds 6")
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/ ./bench/baseline/... ./bench/ratios
	bin/testenv run --durable -- bin/ratios $(ARGS)

.PHONY: rest
rest: build ## time to the first answer and memory at rest, beside bare gin, on Linux (ARGS="--rounds 5")
	CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/ ./bench/baseline/hello ./bench/rest
	bin/rest $(ARGS)

.PHONY: growth
growth: bin/testenv ## measure what operations cost as the data grows, on PostgreSQL (ARGS="--signals 10000,10000000" SHARED_BUFFERS=4GB)
	@mkdir -p bin && CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/growth ./bench/growth
	bin/testenv run --durable $(if $(SHARED_BUFFERS),--shared-buffers $(SHARED_BUFFERS)) -- sh -c 'bin/growth --url "$$HAL9_TEST_POSTGRES_URL" --svg bin/growth.svg $(ARGS)'
	@echo "the plot is in bin/growth.svg"

# Bounded: five kinds of work on PostgreSQL and two on SQLite, 5 s each.
.PHONY: partitions-pause
partitions-pause: bin/testenv ## measure how long inserts wait while months are made, moved and dropped (ARGS="--seconds 5")
	@mkdir -p bin && CGO_ENABLED=0 $(GO) build -buildvcs=false -o bin/partitions ./bench/partitions
	bin/testenv run --durable -- sh -c 'bin/partitions --url "$$HAL9_TEST_POSTGRES_URL" $(ARGS)'
	@rm -f bin/partitions.db bin/partitions.db-* bin/partitions.db.*
	bin/partitions --url sqlite://bin/partitions.db $(ARGS)
	@rm -f bin/partitions.db bin/partitions.db-* bin/partitions.db.*

.PHONY: generate
generate: ## compile queries/ into Go, and the API into clients/
	$(GO) generate ./tools.go

.PHONY: verify
verify: ## fail if generated code or go.mod is stale
	sh tools/sqlc.sh verify
	$(GO) run ./internal/storegen --check
	sh tools/clients.sh verify
	$(GO) -C tools/licences run . --check
	$(GO) mod tidy -diff
	$(GO) -C tools mod tidy -diff
	$(GO) -C tools/licences mod tidy -diff
	$(GO) -C clients/go mod tidy -diff
	$(GO) -C examples/go mod tidy -diff

.PHONY: lint
lint: ## check the code with golangci-lint, gofmt and go vet
	$(TOOL) golangci-lint run ./...
	program=$$($(GO) tool -modfile=tools/go.mod -n golangci-lint) && cd clients/go && $$program run --config ../../.golangci.yaml ./...
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		printf 'not formatted, run make fmt:\n%s\n' "$$unformatted" >&2; exit 1; fi
	$(GO) vet ./...
	$(GO) -C clients/go vet ./...
	$(GO) -C examples/go vet ./...

.PHONY: lint-openapi
lint-openapi: build ## check the OpenAPI document with redocly (needs npx and the network)
	sh tools/openapi-lint.sh

.PHONY: performance
performance: build bin/testenv ## measure against the targets, up to 10 minutes (QUICK=1 up to 2)
	sh tools/performance.sh

.PHONY: check-k6
check-k6: ## check the types of loadtest/k6.js (needs npm and the network)
	sh tools/k6-check.sh

.PHONY: check-deploy
check-deploy: ## check deploy/ by the schemas of Kubernetes, Compose and Docker (needs the network)
	sh tools/deploy-check.sh

.PHONY: release-snapshot
release-snapshot: ## build the archives of a release into dist/ (minutes, needs the network)
	sh tools/release-snapshot.sh

.PHONY: licences
licences: ## list what the program is built from in docs/licences.md, and check the licences
	$(GO) -C tools/licences run . --write

.PHONY: sbom
sbom: build ## write bin/hal9.cdx.json, a CycloneDX list of all parts (needs the network once)
	sh tools/sbom.sh

.PHONY: vulncheck
vulncheck: ## look for known vulnerabilities that the code reaches (needs the network)
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./...

.PHONY: reproducible
reproducible: ## build this commit twice, in two places without a shared cache, and compare (minutes)
	sh tools/reproducible.sh

.PHONY: fmt
fmt: ## format the code
	$(TOOL) golangci-lint fmt ./...

.PHONY: tools
tools: ## build the pinned tools ahead of their first use (minutes)
	$(TOOL) sqlc version
	$(TOOL) goose --version
	$(TOOL) golangci-lint version

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: bin/cluster
bin/cluster:
	@CGO_ENABLED=0 $(GO) build -buildvcs=false -o $@ ./bench/cluster

# go build knows best whether there is something to do.
.PHONY: bin/testenv
bin/testenv:
	@CGO_ENABLED=0 $(GO) build -buildvcs=false -o $@ ./internal/testenv/cmd/testenv
