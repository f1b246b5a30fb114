package sqlcgo_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hal9-ai/hal9/internal/storegen/sqlcgo"
)

const code = `package pgdb

import (
	"context"
	"time"

	renamed "example.test/fixture/model/v2"
	"github.com/jackc/pgx/v5/pgtype"
)

const thingGet = "-- name: ThingGet :one\nSELECT $1, '" + "` + "`" + `" + "'\n"

type ThingGetParams struct {
	ID   []byte
	At   *time.Time
	JSON renamed.JSON
	Age  pgtype.Interval
	All  []int64
}

func (q *Queries) ThingGet(ctx context.Context, arg ThingGetParams) (Thing, error) {
	row := q.db.QueryRow(ctx, thingGet, arg.ID, arg.At)
	return row.Scan()
}

func (q *Queries) ThingList(ctx context.Context) ([]Thing, error) { return nil, nil }

func (q *Queries) ThingTouch(ctx context.Context) error { return nil }

type Querier interface {
	ThingGet(ctx context.Context, arg ThingGetParams) (Thing, error)
	ThingList(ctx context.Context) ([]Thing, error)
	ThingTouch(ctx context.Context) error
}
`

func TestLoad(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{
		"gen/pgdb/things.sql.go":  {Data: []byte(code)},
		"gen/pgdb/models.go":      {Data: []byte("package pgdb\n\ntype Thing struct{ ID string }\n")},
		"gen/pgdb/things_test.go": {Data: []byte("broken, and of no interest")},
	}
	pkg, err := sqlcgo.Load(root, "gen/pgdb", "example.test/fixture/gen/pgdb")
	if err != nil {
		t.Fatal(err)
	}
	get, list, touch := pkg.Methods["ThingGet"], pkg.Methods["ThingList"], pkg.Methods["ThingTouch"]
	if get == nil || list == nil || touch == nil || len(pkg.Methods) != 3 {
		t.Fatalf("methods: %v", pkg.Methods)
	}
	if get.SQL != "-- name: ThingGet :one\nSELECT $1, '`'\n" || get.Command != ":one" || get.Args != 2 {
		t.Errorf("%+v", get)
	}
	if get.Result.Row.Name != "Thing" || !get.Result.Row.Model || get.Result.Many {
		t.Errorf("%+v", get.Result)
	}
	if !list.Result.Many || list.Result.Row == nil || list.HasSQL || list.Params != nil || !touch.Result.None {
		t.Errorf("%+v %+v", list, touch)
	}
	var types []string
	for _, f := range get.Params.Fields {
		elem, pointer, slice := f.Type.Elem()
		mark := map[bool]string{pointer: "to ", slice: "of "}[true]
		types = append(types, f.Type.String()+": "+mark+elem.In("example.test/fixture/model/v2"))
	}
	want := "[]byte: []byte, *time.Time: to time.Time, model.JSON: JSON, pgtype.Interval: pgtype.Interval, []int64: of int64"
	if got := strings.Join(types, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	if _, err := sqlcgo.Load(fstest.MapFS{}, "gen/pgdb", "x/gen/pgdb"); !errors.Is(err, sqlcgo.ErrEmpty) {
		t.Errorf("nothing there: %v", err)
	}
	for src, want := range map[string]string{
		"package pgdb":                        "has no interface Querier: set emit_interface",
		"package pgdb\ntype Querier struct{}": "Querier is no interface",
		"package pgdb\ntype":                  "parsing sqlc's code",
	} {
		_, err := sqlcgo.Load(fstest.MapFS{"gen/pgdb/a.go": {Data: []byte(src)}}, "gen/pgdb", "x/gen/pgdb")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", src, err, want)
		}
	}
}
