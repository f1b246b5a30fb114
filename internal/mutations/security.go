package main

func security() []mutation {
	return []mutation{
		{
			"who knows the id of another's key may revoke it", "gen/sqlitedb/api_keys.sql.go",
			"SET is_active = false, version = (SELECT value + 1 FROM row_version)\nWHERE id = ?1 AND user_id = ?2",
			"SET is_active = false, version = (SELECT value + 1 FROM row_version)\nWHERE id = ?1 AND ?2 IS NOT NULL",
			[]string{"server.TestObjectAccess", "server.TestOwnThingsFromTheRoutes"},
		},
		{
			"a route for one scope takes any credential", "server/access.go",
			"if missing := a.scopes &^ p.Scopes; missing != 0 {", "if missing := a.scopes &^ p.Scopes; missing != 0 && !p.Known() {",
			[]string{"server.TestAccess"},
		},
		{
			"routes for admins alone are open in open mode", "server/access.go",
			"if s.cfg.AuthMode == AuthOpen && !a.closed {\n\t\t\treturn nil", "if s.cfg.AuthMode == AuthOpen {\n\t\t\treturn nil",
			[]string{"server.TestAccess"},
		},
		{
			"a user who was made inactive goes on", "auth/authenticate.go",
			"\tif !user.IsActive {\n\t\treturn Principal{}, ErrUnauthenticated\n\t}\n\treturn Principal{UserID", "\treturn Principal{UserID",
			[]string{"server.TestVoidCredentials", "auth.TestRevokedCredentialsAreRefused"},
		},
		{
			"access tokens are stored as they are", "auth/login.go",
			"TokenHash: hashToken(grant.AccessToken),\n\t\t\tIPAddress", "TokenHash: grant.AccessToken,\n\t\t\tIPAddress",
			[]string{"auth.TestSecretsAreStoredHashed", "auth.TestLogin"},
		},
		{
			"a spent refresh token revokes nothing", "auth/refresh.go",
			"\tif _, err := tx.SessionDelete(ctx, model.SessionDeleteParams{ID: session.ID, UserID: session.UserID}); err != nil {\n\t\treturn fmt.Errorf(\"revoke the session: %w\", err)\n\t}\n", "",
			[]string{"auth.TestRefreshReuseRevokesTheFamily"},
		},
		{
			"guesses at an account have no limit", "auth/guesslimit.go",
			"account: NewRateLimit(perAccount, window, maxGuessKeys)", "account: NewRateLimit(1000*perAccount, window, maxGuessKeys)",
			[]string{"auth.TestFailuresPerAccount", "server.TestGuessing"},
		},
		{
			"guesses from an address have no limit", "auth/guesslimit.go",
			"if wait, ok := a.limit.address.Take(a.address, now); !ok {", "if wait, ok := a.limit.address.Take(a.address+a.account, now); !ok {",
			[]string{"auth.TestFailuresPerAddress"},
		},
		{
			"who finds the queue of hashes full is looked up all the same", "auth/login.go",
			"\tif err := s.hashes.crowded(); err != nil {\n", "\tif err := s.hashes.crowded(); err != nil && tries < 0 {\n",
			[]string{"auth.TestFullQueueCostsNoLookup"},
		},
		{
			"the process that hashes has the server's priority", "cmd/hal9/hashworker.go",
			"subprocess.Lower(hashNice)", "subprocess.Lower(0)",
			[]string{"cmd/hal9.TestHashProcess"},
		},
		{
			"who registers may name his role", "server/accounts.go",
			"type registerBody struct {\n", "type registerBody struct {\n\tRole string `json:\"role,omitempty\" hidden:\"true\"`\n",
			[]string{"server.TestPrivilegedFieldsAreRefused", "server.TestUnlistedFieldsAreRefusedFromTheDocument"},
		},
		{
			"a field of the contract has another name", "server/neurons.go",
			"`json:\"is_healthy\"", "`json:\"healthy\"",
			[]string{"server.TestContractShapes"},
		},
		{
			"a body has no example in the document", "server/accounts.go",
			"\t\texample:  map[string]any{\"refresh_token\": \"hal9_rt_…\"}, //nolint:gosec // an example, no token\n", "",
			[]string{"server.TestDocumentIsComplete"},
		},
		{
			"one engine lists neurons backwards", "gen/sqlitedb/neurons.sql.go",
			"\nORDER BY id\nLIMIT ?4", "\nORDER BY id DESC\nLIMIT ?4",
			[]string{"store.TestEngineDifferences", "store.TestDifferential", "server.TestAPIDifferential"},
		},
		{
			"a body may be as long as it likes", "server/body.go",
			"\treturn s.cfg.MaxBodyBytes\n", "\treturn s.cfg.MaxBodyBytes * 1000\n",
			[]string{"server.TestBodyLimit", "server.TestLimitsAreExact"},
		},
		{
			"JSON may nest one deeper", "server/decode.go",
			"if d.dec.StackDepth() > d.maxDepth {", "if d.dec.StackDepth() > d.maxDepth+1 {",
			[]string{"server.TestLimitsAreExact"},
		},
		{
			"any number of passwords is hashed at once", "auth/hashgate.go",
			"places: make(chan struct{}, concurrency)", "places: make(chan struct{}, concurrency+1000)",
			[]string{"auth.TestTooManyHashes"},
		},
		{
			"a wrong password is not noted where there is no such user", "auth/prove.go",
			"\t\ts.noteFailure(ctx, user, c)\n", "\t\tif user.Username != \"\" {\n\t\t\ts.noteFailure(ctx, user, c)\n\t\t}\n",
			[]string{"auth.TestLoginTellsNothing"},
		},
		{
			"any number of streams has a place", "server/bulkplace.go",
			"places: make(chan struct{}, most)", "places: make(chan struct{}, most+100)",
			[]string{"server.TestBulkStreamsAreFew"},
		},
		{
			"requests have no limit for each key", "server/ratelimit.go",
			"limit, who = l.key, string(p.KeyID[:])", "limit, who = l.key, now.String()",
			[]string{"server.TestRateLimits"},
		},
		{
			"a credential is looked up whatever its address sent", "server/credential.go",
			"charged := !s.limits.isGood(credential)", "charged := false",
			[]string{"server.TestWorthlessCredentialsCostFewLookups"},
		},
		{
			"a search reads whatever it finds", "server/memorysearch.go",
			"PageBytes: int64(s.pageBytes),", "PageBytes: 1 << 40,",
			[]string{"server.TestSearchReadsOnePage"},
		},
		{
			"what follows a request of HTTP/1.0 is the next one", "server/server.go",
			"if r.ProtoMajor == 1 && r.ProtoMinor == 0 {", "if false {",
			[]string{"server.TestOddRequests"},
		},
		{
			"what cannot be read is left to net/http", "server/serve.go",
			"\twatch.refuse = s.refusal\n", "",
			[]string{"server.TestUnreadableRequests", "server.TestOddRequests"},
		},
		{
			"requests that break off are not counted", "server/unreadable.go",
			"\t\t\ts.unreadable.incomplete.Inc()\n", "",
			[]string{"server.TestIncompleteRequests"},
		},
		{
			"preflights count for no limit", "server/cors.go",
			"limited != nil {", "limited != nil && false {",
			[]string{"server.TestPreflightsCount"},
		},
		{
			"one route is in no document", "server/server.go",
			"\ts.registerAudit()\n", "\ts.registerAudit()\n\ts.handle(\"GET\", \"/api/v1/forgotten\", public(), s.noRoute)\n",
			[]string{"server.TestDocumentListsTheRoutes"},
		},
		{
			"the log has the path of a request", "server/middleware.go",
			"slog.String(\"route\", routeLabel(c.FullPath())),\n\t\tslog.Int", "slog.String(\"route\", c.Request.URL.Path),\n\t\tslog.Int",
			[]string{"server.TestSecretsStayOut", "server.TestLogLinesCannotBeForged"},
		},
		{
			"a panic's value is in the log", "server/middleware.go",
			"what := fmt.Sprintf(\"value of type %T\", value)", "what := fmt.Sprint(value)",
			[]string{"server.TestSecretsStayOut"},
		},
		{
			"spans have the path of a request", "server/tracing.go",
			"attribute.String(\"http.route\", route)", "attribute.String(\"http.route\", c.Request.URL.Path)",
			[]string{"cmd/hal9.TestTraces"},
		},
		{
			"any request id is taken over", "server/middleware.go",
			"if !saneRequestID(id) {", "if id == \"\" {",
			[]string{"server.TestSecretsStayOut"},
		},
		{
			"a failed request is logged as if nothing were wrong", "server/middleware.go",
			"case status > http.StatusInternalServerError:\n", "case status > 599:\n",
			[]string{"server.TestAccessLog"},
		},
		{
			"pages of others may show ours", "server/middleware.go",
			"[]string{\"DENY\"}", "[]string{\"ALLOWALL\"}",
			[]string{"server.TestHeaders"},
		},
		{
			"the first hop of X-Forwarded-For is believed", "server/client.go",
			"\t\tif !s.trusted(addr) {\n\t\t\treturn last\n\t\t}\n", "",
			[]string{"server.TestClientAddress"},
		},
		{
			"acts on users are not noted", "auth/audit.go",
			"\tif err := q.AuditInsert(ctx, arg); err != nil {", "\tif e.resource == resourceUser {\n\t\treturn nil\n\t}\n\tif err := q.AuditInsert(ctx, arg); err != nil {",
			[]string{"server.TestAuditFromTheRoutes", "auth.TestAuditAndSecrets"},
		},
		{
			"a change of the password leaves the sessions", "auth/profile.go",
			"ended, err := tx.SessionDeleteByUser(ctx, model.SessionDeleteByUserParams{UserID: id})", "ended, err := []int(nil), error(nil)",
			[]string{"auth.TestPasswordChange"},
		},
		{
			"a value of another type is served", "cacheutil/fetch.go",
			"if err == nil && (s.shape != c.shape || s.generation != p.generation) {", "if err == nil && s.generation != p.generation {",
			[]string{"cacheutil.TestCorrupt"},
		},
	}
}
