package schema

import (
	"fmt"
	"slices"
)

// planned is a step that is yet to be made.
type planned struct {
	migration

	direction Direction
}

// planner decides what to do about a database. The same plan is carried out or
// shown by a dry run.
type planner func(applied []Applied) ([]planned, error)

func (m *Migrator) planUp(to int64) planner {
	return func(applied []Applied) ([]planned, error) {
		if _, known := find(m.all, to); !known {
			return nil, fmt.Errorf("%w: %d; this program knows %d to %d", ErrVersion, to, m.all[0].version, latest(m.all))
		}
		highest := int64(0)
		for _, a := range applied {
			highest = max(highest, a.Version)
		}
		var steps []planned
		for _, one := range m.all {
			if isApplied(applied, one.version) || one.version > to {
				continue
			}
			if one.version < highest {
				return nil, fmt.Errorf("migration %s is not applied but %d is: it came late, "+
					"and running it now may not give the same schema; give it a number above %d", one.file, highest, highest)
			}
			steps = append(steps, planned{one, Up})
		}
		return steps, nil
	}
}

func (m *Migrator) planDownTo(to int64) planner {
	return func(applied []Applied) ([]planned, error) {
		if _, known := find(m.all, to); !known && to != 0 {
			return nil, fmt.Errorf("%w: %d; name one of this program's versions, or 0 to undo all", ErrVersion, to)
		}
		var steps []planned
		for _, a := range slices.Backward(applied) {
			if a.Version <= to {
				continue
			}
			one, known := find(m.all, a.Version)
			if !known {
				return nil, fmt.Errorf("%w: %d is applied but unknown to this program; undo it with the newer hal9 that ran it",
					ErrVersion, a.Version)
			}
			steps = append(steps, planned{one, Down})
		}
		slices.SortStableFunc(steps, func(a, b planned) int { return int(b.version - a.version) })
		return steps, nil
	}
}

func (m *Migrator) planDownOne(applied []Applied) ([]planned, error) {
	if len(applied) == 0 {
		return nil, ErrNothingApplied
	}
	last := slices.MaxFunc(applied, func(a, b Applied) int { return int(a.Version - b.Version) })
	one, known := find(m.all, last.Version)
	if !known {
		return nil, fmt.Errorf("%w: %d is applied but unknown to this program; undo it with the newer hal9 that ran it",
			ErrVersion, last.Version)
	}
	return []planned{{one, Down}}, nil
}

func (m *Migrator) planRedo(applied []Applied) ([]planned, error) {
	steps, err := m.planDownOne(applied)
	if err != nil {
		return nil, err
	}
	return append(steps, planned{steps[0].migration, Up}), nil
}

func isApplied(applied []Applied, version int64) bool {
	return slices.ContainsFunc(applied, func(a Applied) bool { return a.Version == version })
}
