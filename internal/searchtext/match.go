package searchtext

import (
	"slices"
	"strings"
)

// matcher reads the words of a text in order and tells which wants of a query
// they satisfy. A want is a number: first the words of the query that stand
// outside phrases, then its phrases.
type matcher struct {
	words   map[string]int
	phrases [][]string

	// longest is the number of tokens in the longest phrase, and recent holds
	// that many of the last tokens.
	longest int
	recent  []placedToken
}

type placedToken struct {
	token string
	at    span
}

func newMatcher(q Query) *matcher {
	m := &matcher{words: make(map[string]int, len(q.words)), longest: 1}
	for i, word := range q.words {
		m.words[word] = i
	}
	for _, phrase := range q.Phrases {
		tokens := strings.Split(phrase, " ")
		m.phrases = append(m.phrases, tokens)
		m.longest = max(m.longest, len(tokens))
	}
	return m
}

// wants is how many there are.
func (m *matcher) wants() int { return len(m.words) + len(m.phrases) }

// word takes the tokens of the next word of the text and calls found for each
// want that they satisfy, with the places of the tokens that do.
func (m *matcher) word(tokens string, at span, found func(want int, at []span)) {
	for token := range strings.SplitSeq(tokens, " ") {
		if want, ok := m.words[token]; ok {
			found(want, []span{at})
		}
		if len(m.phrases) == 0 {
			continue
		}
		if len(m.recent) == m.longest {
			m.recent = slices.Delete(m.recent, 0, 1)
		}
		m.recent = append(m.recent, placedToken{token, at})
		for i, phrase := range m.phrases {
			if places := m.endsWith(phrase); places != nil {
				found(len(m.words)+i, places)
			}
		}
	}
}

// endsWith gives the places of a phrase that ends with the last token.
func (m *matcher) endsWith(phrase []string) []span {
	skip := len(m.recent) - len(phrase)
	if skip < 0 {
		return nil
	}
	for i, token := range phrase {
		if m.recent[skip+i].token != token {
			return nil
		}
	}
	places := make([]span, len(phrase))
	for i := range phrase {
		places[i] = m.recent[skip+i].at
	}
	return places
}
