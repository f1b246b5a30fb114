package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// VersionCmd shows the version.
type VersionCmd struct {
	Output
}

// Help describes the command.
func (*VersionCmd) Help() string {
	return `Example:

    hal9 version --json`
}

// Run writes the version.
func (c *VersionCmd) Run(g *Globals) error {
	b := readBuild()
	commit := ""
	if b.Commit != "" {
		commit = ", commit " + b.Commit
	}
	return c.line(g.Stdout, b, "hal9 %s (%s, %s%s)", b.Version, b.Go, b.Platform, commit)
}

// What `make build` stamps by -ldflags -X; empty in a plain go build, which stamps
// what Go knows.
//
//nolint:gochecknoglobals // the linker sets variables only, and nothing else writes them
var version, commit, date string

// Build tells what this program was built from.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Time     string `json:"time,omitempty"` // of the commit
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func readBuild() Build {
	b := Build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	b.Version, b.Commit, b.Time = cmp.Or(version, b.Version), cmp.Or(commit, b.Commit), cmp.Or(date, b.Time)
	b.Modified = b.Modified || strings.HasSuffix(version, "-dirty")
	return b
}
