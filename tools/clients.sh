#!/bin/sh
# Keeps what is generated for clients in step with the service's OpenAPI document:
#
#   sh tools/clients.sh generate   writes clients/openapi.json and the types of both clients
#   sh tools/clients.sh verify     fails if they are stale and names the files
#
# The document comes from the code (hal9 openapi), the Go client from oapi-codegen, pinned
# in tools/go.mod, the types of the TypeScript client from openapi-typescript, pinned in
# clients/typescript/package-lock.json. npm is needed only when the document has changed:
# the types name the document that they were made from by its digest.
set -eu
cd "$(dirname "$0")/.."
document=clients/openapi.json
go=clients/go/api/api_gen.go
types=clients/typescript/src/schema.ts

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go run -buildvcs=false ./cmd/hal9 openapi >"$work/openapi.json"
CGO_ENABLED=0 go tool -modfile=tools/go.mod oapi-codegen --config clients/go/generate.yaml -o "$work/api_gen.go" "$work/openapi.json"
digest="// From clients/openapi.json, sha256 $(sha256sum <"$work/openapi.json" | cut -d ' ' -f 1)."

case "${1:-}" in
generate)
	cmp -s "$work/openapi.json" $document || cp "$work/openapi.json" $document
	cmp -s "$work/api_gen.go" $go || cp "$work/api_gen.go" $go
	if [ "$(head -n 1 $types 2>/dev/null)" != "$digest" ]; then
		if ! command -v npm >/dev/null 2>&1; then
			echo "clients.sh: the API has changed, so $types must be written anew, and npm is missing: install Node.js with npm, as in: apt-get install npm" >&2
			exit 1
		fi
		(
			cd clients/typescript
			[ -d node_modules ] || npm ci --no-audit --no-fund --silent
			npx --no-install openapi-typescript ../openapi.json --default-non-nullable false -o "$work/schema.ts" >/dev/null
		)
		{ echo "$digest" && cat "$work/schema.ts"; } >$types
	fi
	;;
verify)
	stale=
	cmp -s "$work/openapi.json" $document || stale="$stale $document"
	cmp -s "$work/api_gen.go" $go || stale="$stale $go"
	[ "$(head -n 1 $types)" = "$digest" ] || stale="$stale $types"
	if [ "$stale" ]; then
		echo "stale:$stale. Run make generate and commit what it writes." >&2
		exit 1
	fi
	;;
*)
	echo "usage: tools/clients.sh generate|verify" >&2
	exit 2
	;;
esac
