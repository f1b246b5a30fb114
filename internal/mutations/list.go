package main

// mutation breaks the code in one place, which a test must tell.
type mutation struct {
	what string // what is broken, for people
	file string
	// old stands once in the file, and is replaced by fresh.
	old, fresh string
	// tests are as in docs/promises.md: each must fail.
	tests []string
}

// mutations are in the order of docs/promises.md.
func mutations() []mutation {
	return append(faults(), security()...)
}

func faults() []mutation {
	return []mutation{
		{
			"signals are acknowledged although their commit failed", "store/sqlite/writer.go",
			"\t\tfor _, wr := range batch {\n\t\t\twr.finish(err)\n\t\t}\n\t\treturn next",
			"\t\tfor _, wr := range batch {\n\t\t\twr.finish(nil)\n\t\t}\n\t\treturn next",
			[]string{"store/sqlite.TestNoRoomToCommit"},
		},
		{
			"signals are acknowledged before they are stored", "ingest/group.go",
			"\toutcomes := i.storeBatch(traced, batch)\n", "\toutcomes := make([]outcome, len(batch))\n\tfor n := range batch {\n\t\toutcomes[n].result = Stored\n\t}\n\tgo i.storeBatch(traced, batch)\n",
			[]string{"bench/faults.TestFaults"},
		},
		{
			"a lost connection is not replaced", "store/postgres/store.go",
			"if err != nil && ctx.Err() == nil && again(err) {", "if false {",
			[]string{"store/postgres.TestKilledConnections"},
		},
		{
			"a write whose answer was lost is told as if it had no effect", "store/postgres/errors.go",
			"only its answer is lost.\n\t\tout.Kind = model.ErrInterrupted", "only its answer is lost.\n\t\tout.Kind = model.ErrUnavailable",
			[]string{"store/postgres.TestInterrupted"},
		},
		{
			"a pooler that lost the server is believed to have written nothing", "store/postgres/errors.go",
			"return strings.HasPrefix(pg.Code, \"08\")\n\t}", "return false\n\t}",
			[]string{"store/postgres.TestErrorsInDoubt"},
		},
		{
			"requests have no deadline", "server/middleware.go",
			"withTimeout(ctx.Context(), s.timeLeft(ctx.Context()))", "withTimeout(ctx.Context(), s.timeLeft(ctx.Context())+20*time.Minute)",
			[]string{"server.TestRequestTimeout", "cmd/hal9.TestNetworkFaults"},
		},
		{
			"the most frequent requests have no deadline", "server/direct.go",
			"withTimeout(c.Request.Context(), s.timeLeft(c.Request.Context()))", "withTimeout(c.Request.Context(), s.timeLeft(c.Request.Context())+20*time.Minute)",
			[]string{"server.TestRequestTimeout"},
		},
		{
			"a body that drips keeps its place", "server/body.go",
			"lane.pause()\n\t}\n\tn, err", "_ = lane\n\t}\n\tn, err",
			[]string{"server.TestDrippingBodiesTakeNoPlace"},
		},
		{
			"a dripping stream keeps its place", "server/bulkread.go",
			"_ = b.control.SetReadDeadline(time.Now()) // a connection", "_ = b.control // a connection",
			[]string{"server.TestDrippingStreams"},
		},
		{
			"a stream may stand still", "server/bulkread.go",
			"b.control.SetReadDeadline(now.Add(b.idle))", "b.control.SetReadDeadline(now.Add(b.idle + time.Hour))",
			[]string{"server.TestBulkIdleClients"},
		},
		{
			"an answer that the cache does not give fails the read", "cacheutil/fetch.go",
			"\t\t\tc.failed(q.err)\n\t\t\treturn c.unsure(ctx, p, q, old, load)", "\t\t\tc.failed(q.err)\n\t\t\treturn nil, fromLoad, q.err",
			[]string{"cacheutil.TestFaults"},
		},
		{
			"a cache server that is away is told to be there", "cacheutil/prometheus.go",
			"number(s.Valkey == stateUp)", "number(s.Valkey != stateUp)",
			[]string{"server.TestCacheServerAway"},
		},
		{
			"processes do not wait for each other's load", "cacheutil/scripts.go",
			"redis.call('SET', KEYS[2], ARGV[1]..ARGV[3], 'PX', ARGV[2])\nreturn {2", "return {2",
			[]string{"cacheutil.TestHerd"},
		},
		{
			"who waits for a dead process's load waits for ever", "cacheutil/fetch.go",
			"limit := min(max(lease, time.Millisecond), maxWait)", "limit := lease + time.Hour",
			[]string{"cacheutil.TestHerdWhoseLeaderDies"},
		},
		{
			"who lost his lease stores what he read", "cacheutil/scripts.go",
			"if not lease or string.sub(lease,1,16) ~= ARGV[1] then return 0 end\nredis.call('DEL', KEYS[2])\nlocal version", "lease = lease or ''\nlocal version",
			[]string{"cacheutil.TestRaces"},
		},
		{
			"a full disk is an error of the program's", "store/sqlite/errors.go",
			"out.Kind, out.Reason = model.ErrUnavailable, \"the disk is full\"", "out.Kind = model.ErrInternal",
			[]string{"store/sqlite.TestDiskFull"},
		},
		{
			"an access token is good at its last moment and after it", "auth/authenticate.go",
			"if !s.now().Before(session.ExpiresAt) {", "if s.now().After(session.ExpiresAt) {",
			[]string{"server.TestClockJumps"},
		},
		{
			"an API key that expired works", "auth/authenticate.go",
			"if !key.IsActive || key.ExpiresAt != nil && !now.Before(*key.ExpiresAt) {", "if !key.IsActive {",
			[]string{"server.TestClockJumps"},
		},
		{
			"ids follow the clock when it steps back", "model/id.go",
			"if ms > g.lastMS {", "if ms != g.lastMS {",
			[]string{"server.TestClockJumps"},
		},
		{
			"the cache reads the machine's clock", "cacheutil/clock.go",
			"return c.injected().UnixNano()", "return c.coarse.Load()",
			[]string{"cacheutil.TestInjectedClock"},
		},
		{
			"rows stay in the default partition when their month is made", "schema/postgres/00004_signals.sql",
			"DELETE FROM signals_default WHERE timestamp >= $1", "DELETE FROM signals_default WHERE false AND timestamp >= $1",
			[]string{"schema.TestRowsMoveHome", "schema.TestInsertsGoOn"},
		},
		{
			"a list opens every month", "store/postgres/months.go",
			"if end.IsZero() || ", "if true || ",
			[]string{"store/postgres.TestSignalListOpensFewMonths"},
		},
		{
			"a list forgets what lies before all months", "store/postgres/months.go",
			"return list(whole, limit)", "return list(span{end, whole.until}, limit)",
			[]string{"store/postgres.TestSignalListsOverMonths"},
		},
		{
			"a trace looks through all that is kept", "server/trace.go",
			"Since: traceSince(row.Timestamp), ", "",
			[]string{"server.TestSignalTraceBegins"},
		},
		{
			"migrators do not wait for each other", "schema/lock_postgres.go",
			"case locked:\n", "case locked || holder == \"\":\n",
			[]string{"schema.TestFiveMigratorsAtOnce", "schema.TestFiveProcessesAtOnce", "schema.TestKilledWithinAStatement"},
		},
		{
			"a migration down leaves its table behind", "schema/sqlite/00010_schema_compatibility.sql",
			"DROP TABLE schema_compatibility;", "SELECT 1;",
			[]string{"schema.TestOverFilledTables"},
		},
		{
			"a migration down takes rows of another table along", "schema/sqlite/00010_schema_compatibility.sql",
			"DROP TABLE schema_compatibility;", "DROP TABLE schema_compatibility;\nDELETE FROM memories;",
			[]string{"schema.TestRowsSurviveMigrations"},
		},
		{
			"the lock of a migrator outlives him on SQLite", "schema/lock_file.go",
			"os.OpenFile(name, os.O_RDWR|os.O_CREATE,", "os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL,",
			[]string{"schema.TestKilledAnywhere"},
		},
		{
			"a query takes whatever columns there are", "gen/sqlitedb/neurons.sql.go",
			"const neuronGet = `-- name: NeuronGet :one\nSELECT id, layer, system_prompt, settings, state, condition, state_set_at, running_since, errors_count, created_at, updated_at, version\n",
			"const neuronGet = `-- name: NeuronGet :one\nSELECT *\n",
			[]string{"server.TestExpandedSchema"},
		},
		{
			"the two files of a query may say two things", "internal/storegen/sqlform/compare.go",
			"x == nil || y == nil || x.Key() != y.Key()", "x == nil || y == nil",
			[]string{"internal/storegen/gen.TestErrors", "internal/storegen/sqlform.TestDiffers"},
		},
		{
			"who finds no connection waits ten times as long", "store/postgres/store.go",
			"context.WithTimeout(ctx, s.cfg.AcquireTimeout)", "context.WithTimeout(ctx, 100*s.cfg.AcquireTimeout)",
			[]string{"store/postgres.TestNoFreeConnection"},
		},
		{
			"who finds no reader waits a hundred times as long", "store/sqlite/readers.go",
			"timer := time.NewTimer(r.timeout)", "timer := time.NewTimer(100 * r.timeout)",
			[]string{"store/sqlite.TestNoFreeReader"},
		},
		{
			"one signal too many waits for its commit", "ingest/group.go",
			"if len(g.queue) >= g.maxQueue {", "if len(g.queue) > g.maxQueue {",
			[]string{"ingest.TestSubmitShedsWhenFull"},
		},
		{
			"nobody is sent away under overload", "server/admission.go",
			"\ta.last.Store(int64(now))\n\treturn false", "\ta.last.Store(int64(now))\n\treturn true",
			[]string{"server.TestShed"},
		},
		{
			"how many may be under way does not follow the rate", "server/admission.go",
			"a.most.Store(max(a.least, soon))", "a.most.Store(a.least)",
			[]string{"server.TestShedFollowsTheRate"},
		},
		{
			"who was refused is looked at again at once", "server/unread.go",
			"\tif d <= 0 {\n\t\treturn\n\t}\n\ttimer", "\tif d > -1 {\n\t\treturn\n\t}\n\ttimer",
			[]string{"server.TestRefusedConnectionIsLeftUnread"},
		},
		{
			"the connection of a proxy is left unread", "server/unread.go",
			" || s.ofProxy(r) {", " {",
			[]string{"server.TestProxysConnectionIsReadOn"},
		},
		{
			"SQLite has no processor to spare", "cmd/hal9/processors.go",
			"runtime.GOMAXPROCS(0) + 1", "runtime.GOMAXPROCS(0)",
			[]string{"cmd/hal9.TestSpareProcessor"},
		},
		{
			"who leaves a batch takes the one before him along", "ingest/group.go",
			"\t\t\tbatch = append(batch, s)\n\t\t}\n",
			"\t\t\tbatch = append(batch, s)\n\t\t} else if n := len(batch); n > 0 {\n\t\t\tbatch[n-1].err = context.Canceled\n\t\t\tclose(batch[n-1].answered)\n\t\t\tbatch = batch[:n-1]\n\t\t}\n",
			[]string{"server.TestLeavingClientsLoseNoBatchMates"},
		},
		{
			"a client that left is a failure of the server's", "server/errors.go",
			"if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {", "if false {",
			[]string{"server.TestClientLeaves"},
		},
		{
			"a poisonous row fails its batch", "ingest/group.go",
			"\tfor _, row := range checked.Failed {\n", "\tif len(checked.Failed) > 0 {\n\t\treturn allFailed(outcomes, checked.Failed[0].Err)\n\t}\n\tfor _, row := range checked.Failed {\n",
			[]string{"ingest.TestPoisonousSignalsFailAlone", "ingest.TestSubmitCommitsTogether"},
		},
		{
			"a refused row counts as stored when the repeated ones of its batch cannot be compared", "ingest/group.go",
			"\t\tchecked.Failed = result.Failed\n", "",
			[]string{"ingest.TestRefusedSignalsStayRefused"},
		},
		{
			"a log that was left is read into what is restored", "store/sqlite/restore.go",
			"if s.damage || !s.exists {", "if s.damage {",
			[]string{"store/sqlite.TestRestoreWhereALogIsLeft"},
		},
		{
			"a restored database gives versions again", "store/sqlite/restore.go",
			"max(current.version, model.UnusedVersion(now))", "min(0, model.UnusedVersion(now))",
			[]string{"store/sqlite.TestRestoreGivesNoVersionAgain"},
		},
		{
			"a copied database gives versions again", "transfer/copydb/complete.go",
			"if !c.options.Follow {\n\t\t\t// The source", "if c.options.Follow {\n\t\t\t// The source",
			[]string{"transfer/copydb.TestCopyGivesNoVersionAgain"},
		},
		{
			"a backup goes where a log lies", "store/sqlite/backup.go",
			"log := logBeside(dest); log != \"\" {", "log := logBeside(dest); log == dest {",
			[]string{"store/sqlite.TestBackupWhereALogIsLeft"},
		},
		{
			"a poisonous row breaks its batch up on SQLite", "store/sqlite/errors.go",
			"sqlite3.SQLITE_RANGE:\n\t\treturn false", "sqlite3.SQLITE_RANGE:\n\t\treturn true",
			[]string{"store/sqlite.TestPoisonousRowsFailAlone"},
		},
		{
			"bad rows of a list are not told", "ingest/ingest.go",
			"\treturn checked, nil\n", "\tchecked.Failed = nil\n\treturn checked, nil\n",
			[]string{"ingest.TestSubmitManyNamesBadRows"},
		},
		{
			"text after the JSON is passed over", "server/decode.go",
			"len(rest) > 0 {", "len(rest) > 1<<20 {",
			[]string{"server.FuzzJSONBody"},
		},
		{
			"bodies of any Content-Type are read", "server/guard.go",
			"r.ContentLength != 0 && !accepted", "r.ContentLength < 0 && !accepted",
			[]string{"server.TestBadBodies"},
		},
		{
			"broken UTF-8 and NUL in a cursor go to the database", "server/cursor.go",
			"if err != nil || len(key) == 0 || !utf8.Valid(key) || bytes.IndexByte(key, 0) >= 0 {", "_, _ = utf8.Valid(key), bytes.IndexByte(key, 0)\n\tif err != nil || len(key) == 0 {",
			[]string{"server.TestTextCursorWithNUL"},
		},
		{
			"line ends in a cursor are passed over", "server/cursor.go",
			"strings.ContainsAny(cursor, \"\\r\\n\")", "strings.ContainsAny(cursor, \"\")",
			[]string{"server.FuzzCursor"},
		},
		{
			"a token may hold line ends", "model/position.go",
			"if err != nil || len(raw) != 12 {", "if err != nil || len(raw) > 12 {",
			[]string{"model.FuzzPosition"},
		},
		{
			"a line of a stream may have any length", "server/bulkread.go",
			"if r.seen-r.next > maxBulkLine {", "if r.seen-r.next > maxBulkLine<<8 {",
			[]string{"server.TestBulkBombs"},
		},
		{
			"a stream is held whole", "server/bulkread.go",
			"\tif r.next > 0 {\n\t\trest := copy", "\tif r.next < 0 {\n\t\trest := copy",
			[]string{"server.TestBulkMemoryIsBounded"},
		},
		{
			"the last line of a stream counts one byte too many", "server/bulkread.go",
			"r.offset += int64(len(line) + mark)", "r.offset += int64(len(line) + 1)",
			[]string{"server.FuzzBulkStream"},
		},
		{
			"two spaces stand between the words of a search text", "internal/searchtext/analyze.go",
			"w.out = append(w.out, ' ')", "w.out = append(w.out, ' ', ' ')",
			[]string{"internal/searchtext.FuzzAnalyze"},
		},
		{
			"a phrase is searched for with its quotes", "internal/searchtext/query.go",
			"b.WriteString(token)", "b.WriteString(token + \"\\\"\")",
			[]string{"server.TestMemorySearch", "internal/searchtext.FuzzParseQuery"},
		},
		{
			"PostgreSQL reads a search by the rules of English", "gen/pgdb/memories.sql.go",
			"@@ websearch_to_tsquery('simple', $1::text)", "@@ websearch_to_tsquery('english', $1::text)",
			[]string{"server.TestMemorySearchAgrees"},
		},
		{
			"another body under the same key gets the first one's answer", "server/idempotency.go",
			"\tfingerprint := fingerprintOf(key, r, body)\n", "\tfingerprint := fingerprintOf(key, r, body[:0])\n",
			[]string{"server.TestIdempotencyAtOnce"},
		},
		{
			"a key that expires is taken from the request that holds it", "gen/sqlitedb/idempotency_keys.sql.go",
			"  AND (idempotency_keys.status IS NOT NULL OR idempotency_keys.locked_until <= excluded.created_at)\n", "",
			[]string{"server.TestIdempotencyKeyHeldAtItsExpiry"},
		},
		{
			"the same signal is stored again", "ingest/group.go",
			"\t\toutcomes[n].result = Duplicate\n", "\t\toutcomes[n].result = Stored\n",
			[]string{"ingest.TestSubmitTheSameAtOnce", "server.TestSignalConcurrentResubmission"},
		},
		{
			"write-behind overwrites what is newer", "store/behind.go",
			"batch {\n\t\t\tif _, err := tx.NeuronApplyState(ctx, change)", "batch {\n\t\t\tchange.Version += 1 << 40\n\t\t\tif _, err := tx.NeuronApplyState(ctx, change)",
			[]string{"store.TestWriteBehind"},
		},
		{
			"two servers lock the rows of write-behind in different orders", "store/behind.go",
			"\tslices.SortFunc(batch, func(a, b model.NeuronApplyStateParams) int { return cmp.Compare(a.ID, b.ID) })\n", "\t_ = cmp.Compare[string]\n",
			[]string{"store.TestWriteBehindLocksInOneOrder"},
		},
		{
			"a server takes along what the cache server did not take", "cmd/hal9/serve.go",
			"err, tellOthers(g.Context, cfg, st, seen.log), closeStore", "err, closeStore",
			[]string{"cmd/hal9.TestServerEndsWithoutTheCacheServer"},
		},
		{
			"a server that cannot reach the cache server tells nobody while it runs", "cmd/hal9/serve.go",
			"\tgroup.Go(func() error { return tellMeanwhile(beside, cfg, st, log) })\n", "\t_ = tellMeanwhile\n",
			[]string{"cmd/hal9.TestServerCutOffFromTheCacheServer"},
		},
		{
			"PostgreSQL goes on with the statements of a server that was killed", "store/postgres/config.go",
			"\"SET \"+clientCheck+\" = '1s'\"", "\"SET \"+clientCheck+\" = 0\"",
			[]string{"store/postgres.TestStatementOfAKilledServer"},
		},
		{
			"the cache lives on when a process falls silent", "cacheutil/scripts.go",
			"ARGV[2] ~= '*' and gone == 0 then", "ARGV[2] ~= '*' then",
			[]string{"cacheutil.TestProcessKilledBeforeItsInvalidation"},
		},
		{
			"a process that ends is taken for one that was killed", "cacheutil/keeper.go",
			"\t\tk.depart(ctx, *client)\n", "\t\t_ = k.depart\n",
			[]string{"cacheutil.TestProcessThatEnds"},
		},
		{
			"the time that Valkey stood still is everybody's silence", "cacheutil/scripts.go",
			"math.min(now - last, gap)", "now - last",
			[]string{"cacheutil.TestValkeyStoodStill"},
		},
		{
			"a server that is heard no more is not looked into", "stream/presence.go",
			"\t\tin.owe(at.Add(-f.cfg.Overlap))\n", "",
			[]string{"stream.TestServerThatFellSilent"},
		},
		{
			"a listener remembers all that it is told of the past", "stream/listener.go",
			"const toldIDs = 1 << 10", "const toldIDs = 1 << 20",
			[]string{"stream.TestListenersRememberLittle"},
		},
		{
			"what was told from the database is forgotten before its news came", "stream/listener.go",
			"l.toldUntil = f.now().Add(f.cfg.Overlap)", "l.toldUntil, l.told = f.now(), nil",
			[]string{"stream.TestToldBeforePublished", "stream.TestListenerForgetsThePast"},
		},
		{
			"a page of the past has a hundred signals, however long", "stream/listener.go",
			"bytes > replayBytes && i > 0", "false",
			[]string{"stream.TestPagesOfThePast"},
		},
		{
			"what the ring will tell is told from the database too", "stream/listener.go",
			"comes[i] = number >= l.next", "comes[i] = number == 0",
			[]string{"stream.TestPast", "stream.TestListenersRememberLittle"},
		},
		{
			"a bus that was away for long has all looked for again", "stream/follow.go",
			"if now.Sub(in.lost) >= f.cfg.Overlap {", "if false {",
			[]string{"stream.TestBusAwayForLong"},
		},
		{
			"a server that ends tells nothing any more", "stream/notice.go",
			"\t\t\tf.leave(context.WithoutCancel(ctx))\n", "\t\t\t_ = f.leave\n",
			[]string{"stream.TestServerThatEnds"},
		},
		{
			"the rest of a burst waits for the next signal", "stream/listener.go",
			"\t\twake = nil\n", "\t\t_ = wake\n",
			[]string{"server.TestStreamTellsAllOfABurst"},
		},
		{
			"how far a replica lags is forgotten when it lags for long", "store/postgres/replicas_watch.go",
			"next.had = last.had", "next.had = time.Time{}",
			[]string{"store/postgres.TestReplicaLagIsTold"},
		},
		{
			"a server starts under a role that may not write", "store/store.go",
			"err == nil && cfg.Serves", "false",
			[]string{"cmd/hal9.TestRoleWithoutRights"},
		},
		{
			"a right on a table that is missing is passed over", "schema/rights.go",
			"has_table_privilege(to_regclass(o), r) END", "true END",
			[]string{"schema.TestCheckRights"},
		},
		{
			"readiness stays on while the server drains", "server/serve.go",
			"defer cancel()\n\ts.ready.Store(false)", "defer cancel()",
			[]string{"server.TestDrain"},
		},
		{
			"connections that come while the server drains are not waited for", "server/serve.go",
			"\tlate.wait(ctx, s.newcomerTimeout)\n", "",
			[]string{"server.TestDrainNewcomers"},
		},
		{
			"requests under way are cut off at the end", "server/serve.go",
			"if err := server.Shutdown(ctx); err != nil {", "if err := server.Close(); err != nil {",
			[]string{"server.TestShutdown"},
		},
		{
			"what waits is not stored at the end", "ingest/ingest.go",
			"\t\ti.under.Wait()\n", "",
			[]string{"ingest.TestCloseDrainsTheQueue"},
		},
		{
			"entries of a consumer that was killed are left where they are", "cacheutil/queue_scripts.go",
			"ARGV[1], ARGV[2], ARGV[5], ARGV[6], 'COUNT', count)", "ARGV[1], ARGV[2], '999999999', ARGV[6], 'COUNT', count)",
			[]string{"cacheutil.TestQueueSurvivesKilledConsumer"},
		},
		{
			"memory may grow as it likes in the soak", "bench/soak/judge.go",
			"first.RSS*1.3+16", "first.RSS*13+160",
			[]string{"bench/soak.TestJudge"},
		},
	}
}
