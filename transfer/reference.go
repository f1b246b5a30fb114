package transfer

import (
	"context"
	"database/sql"
	"errors"
)

// remap gives the references in a row's metadata the ids that the rows they name
// got; what stood there is kept as legacy_signal_id or legacy_parent_id.
func (r *row) remap(ctx context.Context, metadata *object) error {
	for _, field := range []string{"signal_id", "parent_id"} {
		old, found := metadata.text(field)
		if !found || old == "" {
			continue
		}
		entity := entitySignal
		// A parent may be a memory of this file, or a signal of any other.
		if field == "parent_id" {
			isMemory, err := r.inFile(ctx, old)
			if err != nil {
				return err
			}
			if isMemory {
				entity = entityMemory
			}
		}
		id, kept := newID(entity, old)
		if kept {
			continue
		}
		r.note("metadata." + field + " was no UUID: remapped, the old one is kept as legacy_" + field)
		metadata.replace(field, id.String())
		metadata.addText("legacy_"+field, old)
	}
	return nil
}

// inFile tells whether the table of this row has one with the given id.
func (r *row) inFile(ctx context.Context, id string) (bool, error) {
	if _, ok := parseUUID(id); ok {
		return false, nil // not remapped either way
	}
	s, t := r.reader.source, r.reader.schema()
	var one int
	err := s.conn.QueryRowContext(ctx, "SELECT 1 FROM "+quoted(t.name)+" WHERE "+quoted(t.columns["id"])+" = ?", id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, s.readError("look up a reference", err)
	}
	return true, nil
}
