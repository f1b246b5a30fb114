package config

import "strings"

// nearest returns the candidate that a misspelt name most likely means, or an
// empty string when none is near enough to be worth a guess.
func nearest(name string, candidates []string) string {
	name = strings.ToLower(name)
	best, bestCost := "", 0
	for _, c := range candidates {
		cost := editCost(name, strings.ToLower(c))
		if best == "" || cost < bestCost {
			best, bestCost = c, cost
		}
	}
	if bestCost > len(name)+len(name)/2 {
		return ""
	}
	return best
}

// editCost is the weighted edit distance from what was typed to what is known.
// A left-out letter is cheapest, since people shorten names: db_url must find
// database.url rather than cache.url.
func editCost(typed, known string) int {
	const insertion, deletion, substitution = 1, 2, 2
	row := make([]int, len(known)+1)
	for j := range row {
		row[j] = j * insertion
	}
	for i := 1; i <= len(typed); i++ {
		diagonal := row[0]
		row[0] = i * deletion
		for j := 1; j <= len(known); j++ {
			replace := diagonal
			if typed[i-1] != known[j-1] {
				replace += substitution
			}
			diagonal = row[j]
			row[j] = min(replace, row[j]+deletion, row[j-1]+insertion)
		}
	}
	return row[len(known)]
}

func unknownKey(name string, source Source, table []Key) *Error {
	if entity, ok := strings.CutPrefix(name, entitiesPrefix); ok {
		if entity, _, _ = strings.Cut(entity, "."); !knownEntity(entity) {
			return &Error{
				Key: MaskText(name), Source: source,
				Problem: "nothing of this name is cached",
				Mend:    "the names are " + join(entityNames()),
			}
		}
	}
	return &Error{
		Key: MaskText(name), Source: source,
		Problem: "there is no such key",
		Mend:    suggestion(guessKey(name, table)),
	}
}

// guessKey returns the key, or for a name without a dot perhaps the section,
// that an unknown name most likely means.
func guessKey(name string, table []Key) string {
	switch name {
	case "server.port", "server.host", "server.address", "port", "host", "address":
		return "server.listen" // habits of other programs that no edit distance finds
	}
	candidates := make([]string, 0, len(table))
	for i := range table {
		known := table[i].Name
		if strings.HasSuffix(known, "."+name) {
			return known // a key without its section
		}
		candidates = append(candidates, known)
	}
	if !strings.Contains(name, ".") {
		for _, s := range Sections() {
			candidates = append(candidates, s.Name)
		}
	}
	return nearest(name, candidates)
}

func suggestion(guess string) string {
	if guess == "" {
		return "'hal9 config reference' lists all"
	}
	return "did you mean " + guess + "?"
}
