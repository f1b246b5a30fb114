package searchtexttest_test

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // The driver that the store uses.
	"pgregory.net/rapid"

	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/internal/searchtext/searchtexttest"
	"github.com/hal9-ai/hal9/internal/testenv"
)

// engine is a table of documents that are indexed and searched in the way that
// the package's documentation tells.
type engine interface {
	reset(ctx context.Context, searchTexts []string) error
	// indexed gives what the index holds of a document: its tokens in order.
	indexed(ctx context.Context, document int) ([]string, error)
	search(ctx context.Context, q searchtext.Query) ([]int, error)
}

func openEngines(tb testing.TB) map[string]engine {
	tb.Helper()
	return map[string]engine{"postgres": openPostgres(tb), "sqlite": openSQLite(tb)}
}

// The engines index the very tokens of the search text.
func TestEnginesKeepTokens(t *testing.T) {
	t.Parallel()
	for name, e := range openEngines(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				text := searchtexttest.Text().Draw(t, "text")
				searchText := searchtext.Analyze(text)
				if err := e.reset(context.Background(), []string{searchText}); err != nil {
					t.Fatalf("index %q: %v", searchText, err)
				}
				got, err := e.indexed(context.Background(), 0)
				if err != nil {
					t.Fatalf("read the index of %q: %v", searchText, err)
				}
				if want := strings.Fields(searchText); !slices.Equal(got, want) {
					t.Errorf("%q is indexed as %q, want %q", text, got, want)
				}
			})
		})
	}
}

// The engines find what the definition of a query says: the documents with all
// its terms and phrases.
func TestEnginesFindTheSame(t *testing.T) {
	t.Parallel()
	for name, e := range openEngines(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				texts := rapid.SliceOfN(searchtexttest.Text(), 1, 8).Draw(t, "texts")
				searchTexts := make([]string, len(texts))
				for i, text := range texts {
					searchTexts[i] = searchtext.Analyze(text)
				}
				if err := e.reset(context.Background(), searchTexts); err != nil {
					t.Fatalf("index %q: %v", searchTexts, err)
				}

				for _, query := range queriesFor(t, texts) {
					q, err := searchtext.ParseQuery(query)
					if err != nil || q.Empty() {
						continue
					}
					got, err := e.search(context.Background(), q)
					if err != nil {
						t.Fatalf("search %q: %v", query, err)
					}
					if want := matching(q, searchTexts); !slices.Equal(got, want) {
						t.Errorf("%q finds %v, want %v of %q", query, got, want, texts)
					}
				}
			})
		})
	}
}

// No content that the service takes can make an engine fail.
func TestEnginesTakeHugeTexts(t *testing.T) {
	t.Parallel()
	near := map[string]string{}
	for name, text := range searchtexttest.HugeTexts() {
		searchText := searchtext.Analyze(text)
		size := searchtexttest.VectorBytes(strings.Fields(searchText))
		if size >= searchtext.MaxVectorBytes/2 || len(searchText) >= searchtext.MaxBytes/2 {
			near[name] = searchText // Far from any limit an engine would tell nothing new.
		}
	}
	for name, e := range openEngines(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i, name := range slices.Sorted(maps.Keys(near)) {
				if _, ok := e.(sqliteEngine); ok && i > 0 {
					break // SQLite has none of these limits, and the race detector makes it slow.
				}
				searchText := near[name]
				tokens := strings.Fields(searchText)
				if err := e.reset(t.Context(), []string{searchText}); err != nil {
					t.Errorf("index %s: %v", name, err)
					continue
				}
				// A position past the last that a tsvector knows.
				q := searchtext.Query{Terms: tokens[len(tokens)-1:], Phrases: []string{strings.Join(tokens[max(0, len(tokens)-3):], " ")}}
				if found, err := e.search(t.Context(), q); err != nil || len(found) != 1 {
					t.Errorf("search the last words of %s: found %v, error %v", name, found, err)
				}
			}
		})
	}
}

// The limits test relies on its own count of a tsvector's bytes.
func TestVectorBytesAreCountedAsPostgreSQLDoes(t *testing.T) {
	t.Parallel()
	conn := openPostgres(t).conn
	rapid.Check(t, func(t *rapid.T) {
		// Some tokens come more often than a tsvector has room for, and some
		// after its last position.
		searchText := searchtext.Analyze(searchtexttest.Text().Draw(t, "text"))
		searchText = strings.Repeat(searchText+" ", rapid.SampledFrom([]int{1, 2, 300, 4000}).Draw(t, "times")) + "last"

		const header, entry = 8, 4
		var got int
		err := conn.QueryRow(context.Background(), `
			SELECT pg_column_size(vector) - $2::int - $3::int * length(vector)
			FROM (SELECT to_tsvector('simple', $1) AS vector OFFSET 0) AS made`,
			searchText, header, entry).Scan(&got)
		if err != nil {
			t.Fatalf("make a tsvector: %v", err)
		}
		if want := searchtexttest.VectorBytes(strings.Fields(searchText)); got != want {
			t.Errorf("a tsvector of %d bytes is counted as %d, for %q", got, want, searchText)
		}
	})
}

// queriesFor gives words of the texts, copied and shuffled, some in quotes.
func queriesFor(t *rapid.T, texts []string) []string {
	var all []string
	for _, text := range texts {
		all = append(all, searchtexttest.Words(text)...)
	}
	if len(all) == 0 {
		return nil
	}
	var queries []string
	for range 4 {
		first := rapid.IntRange(0, len(all)-1).Draw(t, "first")
		last := rapid.IntRange(first+1, min(first+6, len(all))).Draw(t, "last")
		part := strings.Join(all[first:last], "")
		other := rapid.SampledFrom(all).Draw(t, "other")
		queries = append(queries, part, `"`+part+`"`, part+" "+other, `"`+part+" "+other+`"`, other)
	}
	return queries
}

// matching is the definition of a query.
func matching(q searchtext.Query, searchTexts []string) []int {
	var found []int
	for i, searchText := range searchTexts {
		tokens := strings.Fields(searchText)
		lacks := func(term string) bool { return !slices.Contains(tokens, term) }
		lacksPhrase := func(phrase string) bool { return !strings.Contains(" "+searchText+" ", " "+phrase+" ") }
		if !slices.ContainsFunc(q.Terms, lacks) && !slices.ContainsFunc(q.Phrases, lacksPhrase) {
			found = append(found, i)
		}
	}
	return found
}

type postgresEngine struct{ conn *pgx.Conn }

func openPostgres(tb testing.TB) postgresEngine {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), testenv.PostgresDatabase(tb))
	if err != nil {
		tb.Fatalf("connect: %v", err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(tb.Context())); err != nil {
			tb.Errorf("close the connection: %v", err)
		}
	})
	_, err = conn.Exec(tb.Context(), `
		CREATE TABLE documents (
			id INTEGER PRIMARY KEY,
			search_text TEXT NOT NULL,
			search_vector TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', search_text)) STORED
		);
		CREATE INDEX ON documents USING gin (search_vector)`)
	if err != nil {
		tb.Fatalf("create the table: %v", err)
	}
	return postgresEngine{conn}
}

func (e postgresEngine) reset(ctx context.Context, searchTexts []string) error {
	if _, err := e.conn.Exec(ctx, `TRUNCATE documents`); err != nil {
		return fmt.Errorf("empty the table: %w", err)
	}
	for i, searchText := range searchTexts {
		if _, err := e.conn.Exec(ctx, `INSERT INTO documents (id, search_text) VALUES ($1, $2)`, i, searchText); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
	}
	return nil
}

func (e postgresEngine) indexed(ctx context.Context, document int) ([]string, error) {
	rows, err := e.conn.Query(ctx, `
		SELECT lexeme FROM documents, unnest(search_vector), unnest(positions) AS position
		WHERE id = $1 ORDER BY position`, document)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (e postgresEngine) search(ctx context.Context, q searchtext.Query) ([]int, error) {
	rows, err := e.conn.Query(ctx, `
		SELECT id FROM documents
		WHERE search_vector @@ websearch_to_tsquery('simple', $1)
		AND NOT EXISTS (
			SELECT FROM jsonb_array_elements_text($2::jsonb) AS phrase
			WHERE strpos(' ' || search_text || ' ', ' ' || phrase || ' ') = 0)
		ORDER BY id`, q.Match(), q.PhrasesJSON())
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[int])
}

type sqliteEngine struct{ db *sql.DB }

func openSQLite(tb testing.TB) sqliteEngine {
	tb.Helper()
	db, err := sql.Open("sqlite", filepath.Join(tb.TempDir(), "documents.db"))
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	_, err = db.ExecContext(tb.Context(), `
		CREATE VIRTUAL TABLE documents USING fts5(search_text, tokenize='ascii');
		CREATE VIRTUAL TABLE places USING fts5vocab(documents, 'instance')`)
	if err != nil {
		tb.Fatalf("create the table: %v", err)
	}
	return sqliteEngine{db}
}

func (e sqliteEngine) reset(ctx context.Context, searchTexts []string) error {
	if _, err := e.db.ExecContext(ctx, `DELETE FROM documents`); err != nil {
		return fmt.Errorf("empty the table: %w", err)
	}
	for i, searchText := range searchTexts {
		if _, err := e.db.ExecContext(ctx, `INSERT INTO documents (rowid, search_text) VALUES (?, ?)`, i, searchText); err != nil {
			return fmt.Errorf("insert: %w", err)
		}
	}
	return nil
}

func (e sqliteEngine) indexed(ctx context.Context, document int) ([]string, error) {
	return collect[string](ctx, e.db, `SELECT term FROM places WHERE doc = ? ORDER BY "offset"`, document)
}

func (e sqliteEngine) search(ctx context.Context, q searchtext.Query) ([]int, error) {
	return collect[int](ctx, e.db, `
		SELECT rowid FROM documents
		WHERE documents MATCH ?
		AND NOT EXISTS (
			SELECT 1 FROM json_each(?) AS phrase
			WHERE instr(' ' || search_text || ' ', ' ' || phrase.value || ' ') = 0)
		ORDER BY rowid`, q.Match(), q.PhrasesJSON())
}

func collect[T any](ctx context.Context, db *sql.DB, query string, args ...any) (list []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		var item T
		if err := rows.Scan(&item); err != nil {
			return nil, fmt.Errorf("scan: %w", err)
		}
		list = append(list, item)
	}
	return list, rows.Err()
}
