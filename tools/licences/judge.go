package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// allowed may be part of a program under Apache-2.0. MPL-2.0 asks that changes to its own
// files be published; there are none here.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unlicense", "Zlib"}

func judge(parts []part) error {
	var faults []error
	for _, p := range parts {
		if len(p.Licences) == 0 {
			faults = append(faults, fmt.Errorf("%s %s has no licence that is known: read it, and take something else if it is not one of %s", p.Name, p.Version, strings.Join(allowed, ", ")))
		}
		for _, l := range p.Licences {
			if !slices.Contains(allowed, l) {
				faults = append(faults, fmt.Errorf("%s %s is under %s, which does not go with Apache-2.0 here: take something else", p.Name, p.Version, l))
			}
		}
	}
	return errors.Join(faults...)
}

func table(parts []part) []byte {
	var b strings.Builder
	b.WriteString(`<!-- Written by 'make licences'. DO NOT EDIT. -->
# Licences

What the programs and the Go client are built from, for Linux, macOS and Windows together.
` + "`make verify` fails when this list is stale, or when a part is under another licence than one of\n" + strings.Join(allowed, ", ") + `. The texts go with each release.

| Part | Version | Licence | In |
|---|---|---|---|
`)
	for _, p := range parts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", p.Name, p.Version, strings.Join(p.Licences, ", "), strings.Join(p.Used, ", "))
	}
	return []byte(b.String())
}

// notices are the texts, as most licences ask to have them beside a binary.
func notices(parts []part) []byte {
	var b strings.Builder
	b.WriteString("hal9 contains the following parts.\n")
	for _, p := range parts {
		if !slices.Contains(p.Used, "hal9") {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n", strings.Repeat("=", 80), p.Name, p.Version, strings.Join(p.Licences, ", "))
		for _, file := range p.Files {
			text, err := os.ReadFile(file)
			if err == nil {
				fmt.Fprintf(&b, "\n--- %s\n\n%s\n", filepath.Base(file), strings.TrimSpace(string(text)))
			}
		}
	}
	return []byte(b.String())
}
