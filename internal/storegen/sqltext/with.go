package sqltext

// with reads the common table expressions of a statement and returns the
// scope in which the statement itself stands.
func (w *walker) with(outer *scope) *scope {
	w.pos++
	recursive := w.engine == SQLite // SQLite lets every one see all others
	if w.at(0).Is("RECURSIVE") {
		recursive = true
		w.pos++
	}
	inner := &scope{names: map[string]bool{}, outer: outer}
	if recursive {
		w.declareAll(inner)
	}
	for w.at(0).IsName() {
		name := w.at(0).Name(w.engine)
		w.pos++
		w.columnList()
		w.skip("AS", "NOT", "MATERIALIZED")
		if w.at(0).IsPunct("(") {
			w.pos++
			w.statement(inner, clause{})
			w.pos++
		}
		inner.names[name] = true
		w.searchAndCycle()
		if !w.at(0).IsPunct(",") {
			break
		}
		w.pos++
	}
	return inner
}

// declareAll enters every name of the list that begins here, and stays here.
func (w *walker) declareAll(s *scope) {
	begin := w.pos
	defer func() { w.pos = begin }()
	for w.at(0).IsName() {
		s.names[w.at(0).Name(w.engine)] = true
		w.pos++
		w.columnList()
		w.skip("AS", "NOT", "MATERIALIZED")
		w.columnList() // steps over the statement in its parentheses
		w.searchAndCycle()
		if !w.at(0).IsPunct(",") {
			return
		}
		w.pos++
	}
}

// columnList steps over a pair of parentheses and what it holds.
func (w *walker) columnList() {
	if !w.at(0).IsPunct("(") {
		return
	}
	depth := 0
	for w.pos < len(w.toks) {
		if w.at(0).IsPunct("(") {
			depth++
		} else if w.at(0).IsPunct(")") {
			depth--
		}
		w.pos++
		if depth == 0 {
			return
		}
	}
}

// searchAndCycle steps over PostgreSQL's SEARCH and CYCLE clauses, whose
// commas do not part expressions.
func (w *walker) searchAndCycle() {
	for w.at(0).IsAny("SEARCH", "CYCLE") {
		last := "SET"
		if w.at(0).Is("CYCLE") {
			last = "USING"
		}
		for w.pos < len(w.toks) && !w.at(0).Is(last) {
			w.pos++
		}
		w.pos += 2
	}
}
