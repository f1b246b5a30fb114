package sqlform

import "slices"

// Difference is where two statements part. Of a clause that one side alone has, the other
// is nil.
type Difference struct {
	Clause string
	A, B   *Node
}

// Compare lists the clauses by which two statements differ, in the order of writing.
func Compare(a, b *Statement) []Difference {
	var out []Difference
	seen := map[string]bool{}
	for _, c := range slices.Concat(a.root.Args, b.root.Args) {
		if seen[c.Name] {
			continue
		}
		seen[c.Name] = true
		x, y := a.root.Clause(c.Name), b.root.Clause(c.Name)
		if x == nil || y == nil || x.Key() != y.Key() {
			x, y = narrow(x, y)
			out = append(out, Difference{c.Name, x, y})
		}
	}
	return out
}

// narrow goes down to the smallest pair of parts that still tells what the difference is.
func narrow(a, b *Node) (x, y *Node) {
	if a == nil || b == nil {
		return a, b
	}
	if a.Op != b.Op && (a.Op == opAnd || b.Op == opAnd) { // of one condition, and several
		a, b = conditions(a), conditions(b)
	}
	if a.Op != b.Op || a.Name != b.Name {
		return a, b
	}
	restA, restB := without(a.Args, b.Args), without(b.Args, a.Args)
	if len(a.Args) == len(b.Args) && a.Op != opAnd && a.Op != opOr && len(restA) > 0 && len(restB) > 0 { // each has its place
		for i := range a.Args {
			if a.Args[i].Key() != b.Args[i].Key() {
				restA, restB = a.Args[i:i+1], b.Args[i:i+1]
				break
			}
		}
	}
	switch {
	case len(restA) > 0 && len(restA[0].Tokens) == 0, len(restB) > 0 && len(restB[0].Tokens) == 0, len(restA) == 0 && len(restB) == 0:
		return a, b
	case len(restA) == 0:
		return nil, restB[0]
	case len(restB) == 0:
		return restA[0], nil
	case len(restA) != len(restB), len(restA) > 1 && (a.Op == opAnd || a.Op == opOr): // which is which is not to be told
		return a, b
	case len(restA[0].Args) == 0, len(restB[0].Args) == 0, a.Op == opSet:
		return a, b // too small to be told
	}
	return narrow(restA[0], restB[0])
}

// conditions is a condition as one of a list.
func conditions(n *Node) *Node {
	if n.Op == opAnd {
		return n
	}
	return &Node{Op: opAnd, Args: []*Node{n}, Tokens: n.Tokens}
}

// without are the nodes of a list that another one lacks.
func without(list, other []*Node) []*Node {
	keys := map[string]int{}
	for _, n := range other {
		keys[n.Key()]++
	}
	var out []*Node
	for _, n := range list {
		if keys[n.Key()]--; keys[n.Key()] < 0 {
			out = append(out, n)
		}
	}
	return out
}
