#!/bin/sh
# Writes a CycloneDX SBOM of bin/hal9 by what the compiler wrote into it.
# cyclonedx-gomod is pinned here and not in tools/go.mod: nobody else needs it.
set -eu
cd "$(dirname "$0")/.."
mkdir -p bin
GOFLAGS=-mod=mod "${GO:-go}" run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 \
	bin -json -std -version "$(bin/hal9 version --json | sed -n 's/.*"version": *"\([^"]*\)".*/\1/p')" -output bin/hal9.cdx.json bin/hal9
echo "bin/hal9.cdx.json: $(grep -c '"purl"' bin/hal9.cdx.json) parts"
