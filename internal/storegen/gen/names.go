package gen

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
)

// singular makes neuron of neurons, memory of memories, api_key of api_keys.
func singular(plural string) string {
	for _, ending := range []string{"ss", "us", "is"} {
		if strings.HasSuffix(plural, ending) {
			return plural
		}
	}
	if stem, ok := strings.CutSuffix(plural, "ies"); ok && stem != "" {
		return stem + "y"
	}
	for _, ending := range []string{"sses", "shes", "ches", "xes", "zes"} {
		if strings.HasSuffix(plural, ending) {
			return strings.TrimSuffix(plural, "es")
		}
	}
	return strings.TrimSuffix(plural, "s")
}

// goName is the entity's name in Go. The queries bear it in front, so that
// their spelling decides: APIKey, if there is an APIKeyGet.
func goName(e *entity) string {
	folded := queryfile.Fold(e.name)
	for _, m := range e.methods {
		if len(m.name) > len(folded) && strings.EqualFold(m.name[:len(folded)], folded) {
			return m.name[:len(folded)]
		}
	}
	var b strings.Builder
	for word := range strings.SplitSeq(e.name, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
