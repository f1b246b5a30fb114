package gen

import (
	"fmt"
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// casts tells by which SQL type each engine yields a Go type.
//
//nolint:gochecknoglobals // a table that nothing changes
var casts = map[string]map[sqltext.Engine]string{
	"string":     {sqltext.Postgres: "text", sqltext.SQLite: "TEXT"},
	"int64":      {sqltext.Postgres: "bigint", sqltext.SQLite: "INTEGER"},
	"float64":    {sqltext.Postgres: "float8", sqltext.SQLite: "REAL"},
	"bool":       {sqltext.Postgres: "boolean", sqltext.SQLite: "BOOLEAN"},
	"[]byte":     {sqltext.Postgres: "bytea", sqltext.SQLite: "BLOB"},
	"uuid.UUID":  {sqltext.Postgres: "uuid", sqltext.SQLite: "UUID_TEXT"},
	"time.Time":  {sqltext.Postgres: "timestamptz", sqltext.SQLite: "DATETIME"},
	"model.JSON": {sqltext.Postgres: "jsonb", sqltext.SQLite: "JSON_TEXT"},
}

// castTo shows how the engine is told that name is of the Go type.
func castTo(e sqltext.Engine, name string, isParam bool, goType string) string {
	sqlType := casts[strings.TrimPrefix(goType, "*")][e]
	expr, as := "@"+name, ""
	if !isParam {
		expr, as = "…", " AS "+name
	}
	switch {
	case sqlType == "":
		return ""
	case e == sqltext.SQLite:
		return fmt.Sprintf("`CAST(%s AS %s)%s` in the SQLite query", expr, sqlType, as)
	case !isParam:
		expr = "(…)"
	}
	return fmt.Sprintf("`%s::%s%s` in the PostgreSQL query", expr, sqlType, as)
}

// typeMend tells how to make the types of one parameter or column equal.
func typeMend(name string, isParam bool, pg, lite string) string {
	pgBase, liteBase := strings.TrimPrefix(pg, "*"), strings.TrimPrefix(lite, "*")
	switch {
	case isList(pg) || isList(lite):
		return listMend("@" + name)
	case pg == "interface{}" || lite == "interface{}":
		return untypedMend(name, isParam, pg, lite)
	case isDriver(pg) || isDriver(lite):
		return driverMend
	case strings.Contains(pg, "pgdb."):
		return "an enum is PostgreSQL's alone: use text and a CHECK constraint on both engines"
	case pgBase == liteBase && isParam:
		return fmt.Sprintf("write sqlc.narg('%s') in both files if it may be absent; if not, @%s in both, with a cast where sqlc takes it for a column that may be NULL", name, name)
	case pgBase == liteBase:
		return "declare the column NOT NULL in both schemas or in none; make an expression's NULL impossible by coalesce(…) and a cast"
	case strings.HasPrefix(pgBase, "int") && liteBase == "int64", strings.HasPrefix(pgBase, "float") && liteBase == "float64":
		mend := "write " + castTo(sqltext.Postgres, name, isParam, liteBase)
		if pg[0] != lite[0] && lite[0] == '*' { // a cast is never NULL to sqlc
			mend += " and " + castTo(sqltext.SQLite, name, isParam, liteBase)
		}
		return mend
	}
	var ways []string
	// A cast is never NULL to sqlc: no column becomes a pointer by one.
	isType := func(goType string) bool { return isParam || goType[0] != '*' }
	if c := castTo(sqltext.Postgres, name, isParam, lite); c != "" && isType(lite) {
		ways = append(ways, fmt.Sprintf("for %s on both, write %s", lite, c))
	}
	if c := castTo(sqltext.SQLite, name, isParam, pg); c != "" && isType(pg) {
		ways = append(ways, fmt.Sprintf("for %s on both, write %s", pg, c))
	}
	if len(ways) == 0 {
		return "give the type by a cast in one of the queries, or by an override in sqlc.yaml"
	}
	return strings.Join(ways, ";\n")
}

func listMend(expr string) string {
	return fmt.Sprintf("SQLite has no arrays; take a JSON array on both: `jsonb_array_elements_text(%[1]s::jsonb)` and `json_each(CAST(%[1]s AS JSON_TEXT))`", expr)
}

// untypedMend is for what sqlc could not find a type for.
func untypedMend(name string, isParam bool, pg, lite string) string {
	e, other := sqltext.SQLite, pg
	if pg == "interface{}" {
		e, other = sqltext.Postgres, lite
	}
	var mend string
	if cast := castTo(e, name, isParam, other); cast != "" {
		mend = "write " + cast
	} else {
		mend = "cast it, as in " + castTo(e, name, isParam, "string")
	}
	if isParam && e == sqltext.SQLite {
		mend += fmt.Sprintf("; an optional filter is `column = @%s OR @%s IS NULL`, in this order", name, name)
	}
	return mend
}

const driverMend = "map the database type to a Go type by an override in sqlc.yaml, as the other types are; for a single expression, cast it"

// isDriver tells types that belong to one engine's driver.
func isDriver(goType string) bool {
	goType = strings.TrimLeft(goType, "*[]")
	return strings.HasPrefix(goType, "pgtype.") || strings.HasPrefix(goType, "sql.") || strings.HasPrefix(goType, "pgconn.")
}

// isList tells the types of arrays.
func isList(goType string) bool { return strings.HasPrefix(goType, "[]") && goType != "[]byte" }
