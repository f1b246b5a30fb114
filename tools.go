// Package hal9 holds no code: the service is in cmd/hal9. This file is the list
// of the tools that developers need; nothing that they build is part of the
// service.
//
// Their versions are pinned in tools/go.mod, a module of its own, so that the
// service's go.mod lists only what the service needs:
//
//   - sqlc compiles queries/ into gen/pgdb and gen/sqlitedb
//   - goose runs the migrations of schema/ by hand
//   - golangci-lint checks the code by the rules of .golangci.yaml
//   - benchstat compares the benchmarks of two revisions
//   - oapi-codegen writes the types and calls of clients/go
//
// Each runs as
//
//	go tool -modfile=tools/go.mod NAME
//
// which builds it once into Go's build cache. Building and testing the service
// needs none of them, because generated code is committed. To take another
// version: go get -modfile=tools/go.mod -tool PACKAGE@VERSION.
//
// `make generate` runs the lines below, in their order; `make verify` fails when
// what they write is not what is committed.
package hal9

//go:generate go run ./internal/storegen --sql
//go:generate sh tools/sqlc.sh generate
//go:generate go run ./internal/storegen
//go:generate sh tools/clients.sh generate
