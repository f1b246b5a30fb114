package main

import (
	"os"
	"runtime"

	"github.com/hal9-ai/hal9/internal/dburl"
)

// spareProcessor lets one goroutine more run at a time than there are processors, where
// SQLite works in this process. Its commits wait for the disk in a system call, and
// Go's scheduler leaves the processor that made one to it until its monitor looks, up to ten
// milliseconds later, whoever could run there meanwhile: on one processor that is all of
// them. PostgreSQL is waited for by the poller, which takes nobody's processor. Where
// GOMAXPROCS is set it stays. Decision 38 has what was measured.
func (g *Globals) spareProcessor(engine string) {
	if !g.Alone || engine != dburl.SQLite || os.Getenv("GOMAXPROCS") != "" {
		return
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
}
