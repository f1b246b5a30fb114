package queryfile

import (
	"slices"
	"strings"
)

// Everything stands for all clauses of a statement in a note that it differs.
const Everything = "everything"

// clauses are the words that a note `-- differs: …` may hold.
//
//nolint:gochecknoglobals // a table that nothing changes
var clauses = []string{
	"WITH", "DISTINCT", "SELECT", "FROM", "WHERE", "GROUP BY", "HAVING", "WINDOW", "ORDER BY", "LIMIT", "OFFSET",
	"UNION", "INTERSECT", "EXCEPT", "INSERT", "VALUES", "ON CONFLICT", "UPDATE", "SET", "DELETE", "RETURNING", Everything,
}

// Differs lists the clauses that the query's note excuses.
func (q *Query) Differs() []string {
	n := q.Note(NoteDiffers)
	if n == nil {
		return nil
	}
	out, _ := parseDiffers(n.Value)
	return out
}

// parseDiffers reads `WHERE, ORDER BY, because …`.
func parseDiffers(value string) (list []string, mend string) {
	const form = "name the clauses and the reason, as in `-- differs: WHERE, because SQLite takes one bound from the index`"
	names, reason, ok := strings.Cut(value, ", because ")
	if !ok || strings.TrimSpace(reason) == "" {
		return nil, form
	}
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(clauses, name) {
			return nil, form + "; the clauses are " + strings.Join(clauses, ", ")
		}
		list = append(list, name)
	}
	return list, ""
}
