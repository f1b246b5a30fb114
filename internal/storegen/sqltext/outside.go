package sqltext

import "iter"

// Outside yields the tokens that stand in no parentheses, which are left out themselves, by
// their indices.
func Outside(tokens []Token) iter.Seq2[int, Token] {
	return func(yield func(int, Token) bool) {
		depth := 0
		for i, t := range tokens {
			switch {
			case t.IsPunct("("):
				depth++
			case t.IsPunct(")"):
				depth = max(depth-1, 0) // of a text that is broken
			case depth == 0 && !yield(i, t):
				return
			}
		}
	}
}
