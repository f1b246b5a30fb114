package main

import (
	"context"
	"strings"
)

// fault is one row of the table.
type fault struct {
	name, engine  string
	trials, quick int
	try           func(context.Context, options, *Row) error
}

// syncCalls are those by which a file is brought to the disk.
const syncCalls = "fsync,fdatasync"

func faults() []fault {
	return []fault{
		{name: "kill -9 the server", engine: "SQLite", trials: 50, quick: 5, try: killServer(newLite)},
		{name: "kill -9 the server", engine: "PostgreSQL", trials: 50, quick: 5, try: killServer(newPostgres)},
		{name: "SIGTERM", engine: "SQLite", trials: 10, quick: 2, try: endServer(newLite, false)},
		{name: "SIGTERM", engine: "PostgreSQL", trials: 10, quick: 2, try: endServer(newPostgres, false)},
		{name: "SIGTERM, behind a balancer", engine: "SQLite", trials: 5, quick: 1, try: endServer(newLite, true)},
		{name: "SIGTERM, behind a balancer", engine: "PostgreSQL", trials: 5, quick: 1, try: endServer(newPostgres, true)},
		{name: "disk full", engine: "SQLite", trials: 5, quick: 1, try: diskFull},
		{name: "file size limit", engine: "SQLite", trials: 5, quick: 1, try: fileLimit},
		{name: "EIO by fsync", engine: "SQLite", trials: 10, quick: 1, try: failure{calls: syncCalls, code: "EIO", first: 5, every: 5}.try},
		{name: "EIO by fsync, killed at once", engine: "SQLite", trials: 10, quick: 2, try: failure{calls: syncCalls, code: "EIO", first: 3, every: 3, alone: true}.try},
		{name: "EIO by pwrite64", engine: "SQLite", trials: 5, quick: 1, try: failure{calls: "pwrite64", code: "EIO", first: 50, every: 25}.try},
		{name: "ENOSPC by pwrite64", engine: "SQLite", trials: 5, quick: 1, try: failure{calls: "pwrite64", code: "ENOSPC", first: 50, every: 25}.try},
		{name: "syncs counted, s", engine: "SQLite", trials: 10, quick: 3, try: countSyncs},
		{name: "kill -9 PostgreSQL", engine: "PostgreSQL", trials: 20, quick: 3, try: killPostgres},
	}
}

// choose returns the faults that were asked for.
func choose(o options) []fault {
	var chosen []fault
	for _, f := range faults() {
		if !strings.Contains(f.name, o.only) {
			continue
		}
		if o.quick {
			f.trials = f.quick
		}
		chosen = append(chosen, f)
	}
	return chosen
}
