package transfer

import (
	"context"
	"database/sql"
	"errors"
)

// remap gives the references in a column of JSON the ids that the rows they name
// got; what stood there is kept as legacy_signal_id or legacy_parent_id.
func (r *row) remap(ctx context.Context, column string, metadata *object) error {
	for _, field := range []string{"signal_id", "parent_id"} {
		old, found := metadata.text(field)
		if _, isUUID := parseUUID(old); !found || old == "" || isUUID {
			continue
		}
		entity := entitySignal
		// A parent may be a memory of this file, or a signal of any other.
		if field == "parent_id" {
			isMemory, err := r.source().inFile(ctx, "memories", old)
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
		r.converted(column, column+"."+field+" was no UUID: remapped, the old one is kept as legacy_"+field)
		metadata.replace(field, id.String())
		metadata.addText("legacy_"+field, old)
	}
	return nil
}

func (r *row) source() *Source { return r.reader.source }

// inFile tells whether a table of the file has a row with the given id.
func (s *Source) inFile(ctx context.Context, table string, id any) (bool, error) {
	t := s.schema.tables[table]
	if !t.has("id") {
		return false, nil
	}
	var one int
	err := s.conn.QueryRowContext(ctx, "SELECT 1 FROM "+quoted(t.name)+" WHERE "+quoted(t.columns["id"])+" = ? LIMIT 1", id).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, s.readError("look up a reference", err)
	}
	return true, nil
}
