#!/bin/sh
# Makes the release archives of this commit in dist/, without publishing. goreleaser is
# pinned here and not in tools/go.mod: it needs hundreds of modules, and no developer else
# needs it. Where one is installed it is taken, if it is of the same minor version.
set -eu
cd "$(dirname "$0")/.."
version=v2.15.1
if goreleaser --version 2>/dev/null | grep -q "GitVersion: *${version%.*}\."; then
	exec goreleaser release --snapshot --clean "$@"
fi
echo "release-snapshot: building goreleaser $version first, which takes minutes" >&2
exec go run "github.com/goreleaser/goreleaser/v2@$version" release --snapshot --clean "$@"
