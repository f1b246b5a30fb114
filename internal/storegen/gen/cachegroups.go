package gen

import (
	"slices"

	"github.com/hal9-ai/hal9/internal/storegen/diag"
	"github.com/hal9-ai/hal9/internal/storegen/sqltext"
)

// checkGroups refuses a group that nothing drops: what is in it would be old until its time
// ends, as of a name that was mistyped.
func (c *cachePlan) checkGroups(problems *diag.List) {
	var dropped []string
	for _, w := range c.writes {
		dropped = append(dropped, w.groups...)
	}
	if c.hand != nil {
		for i := range c.hand.lines {
			dropped = append(dropped, c.hand.lines[i].groups...)
		}
	}
	slices.Sort(dropped)
	dropped = slices.Compact(dropped)
	for _, x := range c.caches {
		if x.group == "" || slices.Contains(dropped, x.group) {
			continue
		}
		mend := "write `-- invalidates: group " + x.group + "` at what makes it stale; or leave the group out of the key's note"
		if near := diag.Near(x.group, dropped); near != "" {
			mend = "did you mean group " + near + "?"
		}
		r := x.first()
		problems.Add(r.m.sql[sqltext.Postgres].problem(r.note.Line, "no write drops the group "+x.group, mend))
	}
}
