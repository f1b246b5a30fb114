package schema

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const insufficientPrivilege = "42501"

// NoPrivilege tells whether PostgreSQL refused something because the role lacks a right.
func NoPrivilege(err error) bool {
	failure, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failure.Code == insufficientPrivilege
}

// RightsError says which rights a role lacks that a server needs.
type RightsError struct {
	Role string
	// Lacks are rights, as in "INSERT, UPDATE on signals".
	Lacks []string
}

// Error says what is missing, and which command mends it.
func (e *RightsError) Error() string {
	const most = 3
	shown := strings.Join(e.Lacks[:min(most, len(e.Lacks))], ", ")
	if more := len(e.Lacks) - most; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("the role %s lacks rights that a server needs: %s; run 'hal9 migrate grant %s' as the owner of the tables, after each 'hal9 migrate up'",
		e.Role, shown, e.Role)
}

// CheckRights returns nil if the role of the connection has all that a server needs, and a
// *RightsError if not. It asks for what Grant gives; the schema must be migrated.
func CheckRights(ctx context.Context, db PostgresQuerier) error {
	kinds, objects, rights := neededRights()
	// What a newer schema may have taken away is nobody's fault here.
	rows, err := db.Query(ctx, `SELECT current_user::text, string_agg(r, ', ' ORDER BY n) || ' on ' || o
		FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS need (k, o, r, n)
		WHERE NOT CASE k
			WHEN 'SEQUENCE' THEN to_regclass(o) IS NULL OR has_sequence_privilege(to_regclass(o), r)
			WHEN 'FUNCTION' THEN to_regprocedure(o) IS NULL OR has_function_privilege(to_regprocedure(o), r)
			ELSE to_regclass(o) IS NULL OR has_table_privilege(to_regclass(o), r) END
		GROUP BY o ORDER BY min(n)`, kinds, objects, rights)
	if err != nil {
		return fmt.Errorf("look whether the role has a server's rights: %w", err)
	}
	var e RightsError
	var lack string
	_, err = pgx.ForEachRow(rows, []any{&e.Role, &lack}, func() error {
		e.Lacks = append(e.Lacks, lack)
		return nil
	})
	if err != nil {
		return fmt.Errorf("look whether the role has a server's rights: %w", err)
	}
	if len(e.Lacks) > 0 {
		return &e
	}
	return nil
}

// neededRights reads them from the script that gives them, one right on one object each.
// Its schema is left out: who cannot use that finds no table in it.
func neededRights() (kinds, objects, rights []string) {
	grant := regexp.MustCompile(`(?s)GRANT ([A-Z, ]+) ON (SEQUENCE |FUNCTION |SCHEMA )?(.+?) TO ` + grantsRole + `;`)
	separator := regexp.MustCompile(`,\s*`)
	for _, found := range grant.FindAllStringSubmatch(grantsText, -1) {
		kind := strings.TrimSpace(found[2])
		if kind == "SCHEMA" {
			continue
		}
		for _, object := range separator.Split(found[3], -1) {
			for _, right := range separator.Split(found[1], -1) {
				kinds, objects, rights = append(kinds, kind), append(objects, strings.TrimSpace(object)), append(rights, right)
			}
		}
	}
	return kinds, objects, rights
}
