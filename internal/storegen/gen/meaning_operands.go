package gen

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/queryfile"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// uncast is the statement without casts, and with sqlc's macros written as @name.
func uncast(tokens []sqltext.Token) []sqltext.Token {
	var out []sqltext.Token
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if name, length, ok := queryfile.MacroAt(tokens, i); ok {
			t.Kind, t.Text = sqltext.Param, "@"+name
			out = append(out, t)
			i += length - 1
			continue
		}
		switch {
		case t.Kind == sqltext.Op && t.Text == "::":
			for i+1 < len(tokens) && (tokens[i+1].IsPunct("[") || tokens[i+1].IsPunct("]") || tokens[i+1].Kind == sqltext.Word && tokens[i].Text == "::") {
				i++
			}
		case t.Is("CAST") && i+1 < len(tokens) && tokens[i+1].IsPunct("("):
			end := closing(tokens, i+1)
			as := end
			for as > i && !tokens[as].Is("AS") {
				as--
			}
			if inner := tokens[min(i+2, end):max(as, min(i+2, end))]; len(inner) == 1 || isColumn(inner) {
				out = append(out, inner...)
			} else {
				out = append(out, tokens[i+1])
				out = append(out, uncast(inner)...)
				out = append(out, tokens[end])
			}
			i = end
		case t.Kind == sqltext.Op && t.Text == "+" && (len(out) == 0 || out[len(out)-1].Kind == sqltext.Op || out[len(out)-1].IsPunct("(") || out[len(out)-1].IsPunct(",")):
			// a sign, which keeps SQLite from using an index or an affinity
		default:
			out = append(out, t)
		}
	}
	return out
}

func parameter(tokens []sqltext.Token) string {
	if len(tokens) == 1 && tokens[0].Kind == sqltext.Param {
		return strings.ToLower(tokens[0].Text[1:])
	}
	return ""
}

func columnOf(e sqltext.Engine, tokens []sqltext.Token) string {
	if len(tokens) == 0 || !isColumn(tokens) {
		return ""
	}
	return tokens[len(tokens)-1].Name(e)
}

// operandBefore is the column, the parameter or the list that ends before i.
func operandBefore(tokens []sqltext.Token, i int) []sqltext.Token {
	end := i
	if tokens[i-1].IsPunct(")") {
		depth := 0
		for i--; i >= 0; i-- {
			if tokens[i].IsPunct(")") {
				depth++
			} else if tokens[i].IsPunct("(") {
				if depth--; depth == 0 {
					return tokens[i:end]
				}
			}
		}
		return nil
	}
	i--
	for i >= 2 && tokens[i].IsName() && tokens[i-1].IsPunct(".") {
		i -= 2
	}
	return tokens[max(i, 0):end]
}

// operandBehind is the column, the parameter or the list that begins at i.
func operandBehind(tokens []sqltext.Token, i int) []sqltext.Token {
	if tokens[i].IsPunct("(") {
		return tokens[i : closing(tokens, i)+1]
	}
	end := i + 1
	for end+1 < len(tokens) && tokens[end].IsPunct(".") {
		end += 2
	}
	if end < len(tokens) && (tokens[end].IsPunct("(") || tokens[end].Kind == sqltext.Op && comparisons[tokens[end].Text] == "") {
		return nil // the beginning of a longer expression
	}
	return tokens[i:end]
}

// rowOf are the parts of a list in parentheses, or the operand itself.
func rowOf(tokens []sqltext.Token) [][]sqltext.Token {
	if len(tokens) > 0 && tokens[0].IsPunct("(") {
		return listed(tokens)
	}
	return [][]sqltext.Token{tokens}
}
