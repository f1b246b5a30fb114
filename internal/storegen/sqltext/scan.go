package sqltext

import (
	"fmt"
	"strings"
)

// Error is a text that ends in the middle of something.
type Error struct {
	Line    int
	Message string
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Scan splits src into tokens and comments.
func Scan(engine Engine, src string) (Text, error) {
	s := scanner{engine: engine, src: src, line: 1}
	for s.pos < len(s.src) {
		if err := s.step(); err != nil {
			return Text{}, err
		}
	}
	return s.out, nil
}

type scanner struct {
	engine Engine
	src    string
	pos    int
	line   int // line of pos
	out    Text
}

const operators = "+-*/<>=~!@#%^&|`?"

func (s *scanner) step() error {
	rest := s.src[s.pos:]
	c := rest[0]
	switch {
	case c == '\n':
		s.line++
		s.pos++
	case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v':
		s.pos++
	case strings.HasPrefix(rest, "--"):
		s.lineComment(rest)
	case strings.HasPrefix(rest, "/*"):
		return s.blockComment(rest)
	case c == '\'':
		return s.quoted(0, '\'', String, false)
	case c == '"':
		return s.quoted(0, '"', Quoted, false)
	case s.engine == SQLite && c == '`':
		return s.quoted(0, '`', Quoted, false)
	case s.engine == SQLite && c == '[':
		return s.quoted(0, ']', Quoted, false)
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		s.emit(Number, numberLen(rest))
	case isNameStart(c):
		return s.word(rest)
	case s.engine == Postgres && c == '$':
		return s.dollar(rest)
	case s.engine == SQLite && strings.IndexByte("@:$?", c) >= 0:
		n := 1 + nameLen(rest[1:])
		s.emit(Param, n)
	case strings.IndexByte("()[]{},;.", c) >= 0:
		s.emit(Punct, 1)
	case strings.HasPrefix(rest, "::"):
		s.emit(Op, 2)
	case s.engine == Postgres && strings.IndexByte(operators, c) >= 0:
		s.operator(rest)
	case s.engine == SQLite && operatorLen(rest) > 1:
		s.emit(Op, operatorLen(rest))
	default:
		s.emit(Op, 1)
	}
	return nil
}

func (s *scanner) emit(kind Kind, n int) {
	text := s.src[s.pos : s.pos+n]
	s.out.Tokens = append(s.out.Tokens, Token{Kind: kind, Text: text, Pos: s.pos, Line: s.line})
	s.line += strings.Count(text, "\n")
	s.pos += n
}

func (s *scanner) comment(n int, text string) {
	s.out.Comments = append(s.out.Comments, Comment{Text: text, Pos: s.pos, Line: s.line})
	s.line += strings.Count(s.src[s.pos:s.pos+n], "\n")
	s.pos += n
}

func (s *scanner) lineComment(rest string) {
	n := strings.IndexByte(rest, '\n')
	if n < 0 {
		n = len(rest)
	}
	s.comment(n, strings.TrimRight(rest[2:n], "\r"))
}

// blockComment ends at the first */ on SQLite; on PostgreSQL comments nest.
func (s *scanner) blockComment(rest string) error {
	depth := 1
	for i := 2; i < len(rest)-1; i++ {
		switch rest[i : i+2] {
		case "/*":
			if s.engine == Postgres {
				depth++
				i++
			}
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			s.comment(i+1, rest[2:i-1])
			return nil
		}
	}
	return &Error{Line: s.line, Message: "the comment that begins here has no end"}
}

// quoted reads a quoted thing whose opening mark stands prefix bytes ahead. A
// doubled mark stands for itself; a backslash escapes only where E asks for it.
func (s *scanner) quoted(prefix int, closing byte, kind Kind, backslash bool) error {
	rest := s.src[s.pos:]
	for i := prefix + 1; i < len(rest); i++ {
		switch {
		case backslash && rest[i] == '\\':
			i++
		case rest[i] != closing:
		case closing != ']' && i+1 < len(rest) && rest[i+1] == closing:
			i++
		default:
			s.emit(kind, i+1)
			return nil
		}
	}
	what := "string"
	if kind == Quoted {
		what = "quoted name"
	}
	return &Error{Line: s.line, Message: "the " + what + " that begins here has no end"}
}

// word reads a name or keyword, or the string that a one-letter prefix begins.
func (s *scanner) word(rest string) error {
	n := nameLen(rest)
	prefix := strings.ToUpper(rest[:n])
	quote := byte(0)
	if n < len(rest) {
		quote = rest[n]
	}
	switch {
	case quote == '\'' && s.engine == Postgres && prefix == "E":
		return s.quoted(n, '\'', String, true)
	case quote == '\'' && (prefix == "X" || s.engine == Postgres && (prefix == "B" || prefix == "N")):
		return s.quoted(n, '\'', String, false)
	case s.engine == Postgres && prefix == "U" && strings.HasPrefix(rest[n:], "&'"):
		return s.quoted(n+1, '\'', String, false)
	case s.engine == Postgres && prefix == "U" && strings.HasPrefix(rest[n:], `&"`):
		return s.quoted(n+1, '"', Quoted, false)
	}
	s.emit(Word, n)
	return nil
}

// dollar reads $1 or a dollar-quoted string.
func (s *scanner) dollar(rest string) error {
	if len(rest) > 1 && isDigit(rest[1]) {
		n := 2
		for n < len(rest) && isDigit(rest[n]) {
			n++
		}
		s.emit(Param, n)
		return nil
	}
	n := 1
	for n < len(rest) && rest[n] != '$' && isNamePart(rest[n]) {
		n++
	}
	if n == len(rest) || rest[n] != '$' {
		s.emit(Op, 1)
		return nil
	}
	mark := rest[:n+1]
	end := strings.Index(rest[len(mark):], mark)
	if end < 0 {
		return &Error{Line: s.line, Message: "the string that " + mark + " begins has no end"}
	}
	s.emit(String, end+2*len(mark))
	return nil
}

// operator reads as many operator signs as PostgreSQL itself takes for one:
// that `=@` is one operator is why `id=@id` never becomes a parameter.
func (s *scanner) operator(rest string) {
	n := 0
	for n < len(rest) && strings.IndexByte(operators, rest[n]) >= 0 {
		if two := rest[n:min(n+2, len(rest))]; n > 0 && (two == "--" || two == "/*") {
			break
		}
		n++
	}
	if !strings.ContainsAny(rest[:n], "~!@#%^&|`?") {
		for n > 1 && (rest[n-1] == '+' || rest[n-1] == '-') {
			n--
		}
	}
	if rest[:n] == "@" && n < len(rest) && isNameStart(rest[n]) {
		s.emit(Param, 1+nameLen(rest[1:]))
		return
	}
	s.emit(Op, n)
}

// operatorLen measures those of SQLite's operators that are longer than one sign.
func operatorLen(rest string) int {
	for _, op := range []string{"->>", "->", "<=", ">=", "<>", "!=", "==", "||", "<<", ">>"} {
		if strings.HasPrefix(rest, op) {
			return len(op)
		}
	}
	return 1
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

func isNamePart(c byte) bool { return isNameStart(c) || isDigit(c) || c == '$' }

func nameLen(s string) int {
	n := 0
	for n < len(s) && isNamePart(s[n]) {
		n++
	}
	return n
}

// numberLen measures a number generously: what sqlc has accepted needs no
// second judge, only its end matters.
func numberLen(s string) int {
	n := 0
	for n < len(s) {
		c := s[n]
		sign := (c == '+' || c == '-') && n > 0 && (s[n-1] == 'e' || s[n-1] == 'E') && !strings.HasPrefix(s, "0x")
		if !isDigit(c) && c != '.' && c != '_' && !isNameStart(c) && !sign {
			break
		}
		n++
	}
	return n
}
