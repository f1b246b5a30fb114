package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/searchtext"
	"github.com/hal9-ai/hal9/model"
)

// maxHighlightScan bounds the text in which matches are looked for: a page of a
// thousand contents of 1 MiB must not keep a processor for seconds.
const maxHighlightScan = 64 << 10

// memoryHit is a memory that a search found.
type memoryHit struct {
	Memory
	Score   float64 `json:"score" doc:"The higher the better; its scale is the database's own." example:"1.37"`
	Snippet string  `json:"snippet" doc:"The part of the content that matches best, as HTML: escaped, matched words in mark elements." example:"The &lt;mark&gt;antenna&lt;/mark&gt; fails within 72 hours."`
}

type memorySearchInput struct {
	Query  string `query:"q" required:"true" minLength:"1" maxLength:"2048" doc:"Words that must all be present, in any form, case or accent; words in double quotes stand next to each other." example:"antenna &quot;72 hours&quot;"`
	Neuron string `query:"neuron" maxLength:"255" doc:"Only the memories of this neuron."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"The most memories in the answer; it has fewer where their texts are longer than 8 MiB together."`
}

func (s *Server) registerMemorySearch(path string) {
	register(s, operation{
		id: "MemorySearch", method: http.MethodGet, path: path, tag: tagMemories, access: scoped(auth.ScopeViewMemory),
		summary: "Search the memories", description: "The best first. Any text is a query; one without words finds nothing.",
		places: map[string]string{"match": "query.q", "phrases": "query.q", "neuron_id": "query.neuron"},
	}, s.memorySearch)
}

func (s *Server) memorySearch(ctx context.Context, in *memorySearchInput) (*pageAnswer[memoryHit], error) {
	if strings.TrimSpace(in.Query) == "" {
		return nil, invalidField("query.q", "must not be blank; give words to search for")
	}
	q, err := searchtext.ParseQuery(in.Query)
	var tooMany *searchtext.TooManyWordsError
	switch {
	case errors.As(err, &tooMany):
		return nil, invalidField("query.q", tooMany.Error())
	case err != nil:
		return nil, fmt.Errorf("read the query: %w", err)
	}
	var rows []model.MemorySearchRow
	if !q.Empty() {
		rows, err = s.store.MemorySearch(ctx, model.MemorySearchParams{
			Match: q.Match(), Phrases: model.JSON(q.PhrasesJSON()), NeuronID: optional(in.Neuron), PageLimit: int64(in.Limit), PageBytes: int64(s.pageBytes),
		})
		if err != nil {
			return nil, err
		}
	}
	// The best are all there is: a search has no further pages.
	return page(rows, in.Limit, func(row model.MemorySearchRow) memoryHit { return hitOf(row, q) }, nil), nil
}

func hitOf(row model.MemorySearchRow, q searchtext.Query) memoryHit {
	return memoryHit{
		Memory: Memory{
			ID: row.ID, NeuronID: row.NeuronID, Layer: row.Layer, EntryType: row.EntryType,
			Content: row.Content, Importance: row.Importance, Context: objectOf(row.Context), Metadata: objectOf(row.Metadata),
			HasEmbedding: row.HasEmbedding, AccessCount: row.AccessCount, LastAccessed: row.LastAccessed,
			CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt, Version: row.Version,
		},
		Score:   row.Score,
		Snippet: searchtext.Highlight(row.Content, q, searchtext.HighlightOptions{MaxScan: maxHighlightScan}).HTML(),
	}
}
