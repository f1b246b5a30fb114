package sqlform

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// Types as both engines have them. A whole number is an integer in a type that has
// fractions, as what floor() gives.
const (
	typeInteger = "integer"
	typeWhole   = "whole"
	typeReal    = "real"
	typeBoolean = "boolean"
	typeText    = "text"
	typeUUID    = "uuid"
	typeTime    = "time"
	typeJSON    = "json"
	typeBytes   = "bytes"
)

// typeOf is the type that both engines have for the one of that name.
func typeOf(name string) string {
	switch name = strings.ToLower(name); name {
	case "text", "varchar", "char", "character varying", "citext":
		return typeText
	case "uuid", "uuid_text":
		return typeUUID
	case "timestamptz", "timestamp with time zone", "datetime":
		return typeTime
	case "bigint", "int8", "int", "int4", "integer", "smallint", "int2", "serial", "bigserial":
		return typeInteger
	case "float8", "double precision", "real", "float4", "double", "float", "numeric", "decimal":
		return typeReal
	case "boolean", "bool":
		return typeBoolean
	case "jsonb", "json", "json_text":
		return typeJSON
	case "bytea", "blob":
		return typeBytes
	}
	return name
}

// infer gives a node its type, and tells whether it may be NULL, from what stands below.
func infer(e sqltext.Engine, n *Node) {
	anyNull := func() bool {
		for _, a := range n.Args {
			if a.mayNull {
				return true
			}
		}
		return false
	}
	switch n.Op {
	case opColumn, opParam:
		return // known, or not
	case opConst:
		n.mayNull = n.Name == "null"
		switch {
		case n.Name == "true", n.Name == "false":
			n.typ = typeBoolean
		case strings.HasPrefix(n.Name, "'"):
			n.typ = typeText
		case n.Name != "" && n.Name[0] >= '0' && n.Name[0] <= '9' && !strings.ContainsAny(n.Name, ".eE"):
			n.typ = typeInteger
		case n.Name != "" && (n.Name[0] >= '0' && n.Name[0] <= '9' || n.Name[0] == '.'):
			n.typ = typeReal
		}
	case "=", "<>", "<", "<=", opNot, opAnd, opOr, opIn, "like":
		n.typ, n.mayNull = typeBoolean, anyNull()
	case opIsNull, "same", "is true", "is false":
		n.typ = typeBoolean
	case "+", "-", "*", "/", "%":
		n.typ, n.mayNull = common(n.Args...), anyNull()
		if n.typ == typeWhole {
			n.typ = typeReal
		}
	case "||":
		n.typ, n.mayNull = typeText, anyNull()
	case opCast:
		n.typ, n.mayNull = n.Name, anyNull()
	case opCase:
		var values []*Node
		for i, a := range n.Args {
			if i%2 == 1 || i == len(n.Args)-1 {
				values = append(values, a)
				n.mayNull = n.mayNull || a.mayNull
			}
		}
		n.typ = common(values...)
	case opCall:
		inferCall(e, n, anyNull)
	case "next":
		n.typ = typeInteger
	case "subquery":
		n.mayNull = true
		if list := n.Args[0].Clause("SELECT"); list != nil && len(list.Args) == 1 && list.Args[0].Op == opItem {
			n.typ = list.Args[0].Args[0].typ
		}
	default:
		n.mayNull = true
	}
}

func inferCall(e sqltext.Engine, n *Node, anyNull func() bool) {
	n.mayNull = true
	switch n.Name {
	case "count", "row_number", "rank", "dense_rank":
		n.typ, n.mayNull = typeInteger, false
	case "exists":
		n.typ, n.mayNull = typeBoolean, false
	case "length", "octet_length", "find text":
		n.typ, n.mayNull = typeInteger, anyNull()
	case "coalesce":
		n.typ = common(n.Args...)
		for _, a := range n.Args {
			if !a.mayNull {
				n.mayNull = false
			}
		}
	case "greatest", "least":
		n.typ, n.mayNull = common(n.Args...), anyNull()
	case "max", "min", "nullif", "abs", "lag", "lead", "first_value", "last_value":
		if len(n.Args) > 0 {
			n.typ = n.Args[0].typ
		}
	case "sum":
		if len(n.Args) > 0 {
			if n.typ = n.Args[0].typ; n.typ == typeInteger && e == sqltext.Postgres {
				n.typ = typeWhole // numeric
			}
		}
	case "floor", "ceil", "ceiling", "trunc":
		n.typ, n.mayNull = typeWhole, anyNull()
	case "substr", "replace", "trim":
		n.typ, n.mayNull = typeText, anyNull()
	}
}

// common is the type that several values have together. NULL and parameters have any.
func common(nodes ...*Node) string {
	out := ""
	for _, n := range nodes {
		if n.Op == opConst && n.Name == "null" {
			continue
		}
		t := n.typ
		switch {
		case t == "" && n.Op == opParam:
			return ""
		case out == "" || out == t:
			out = t
		case out == typeInteger && t == typeWhole, out == typeWhole && t == typeInteger:
			out = typeWhole
		case (out == typeInteger || out == typeWhole || out == typeReal) && (t == typeReal || t == typeInteger || t == typeWhole):
			out = typeReal
		default:
			return ""
		}
		if out == "" {
			return ""
		}
	}
	return out
}
