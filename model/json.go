package model

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// JSON is one JSON value as text. Both engines store it: PostgreSQL as jsonb, which
// keeps the value but not its spelling, SQLite as text. Compare values, not bytes.
type JSON []byte

// EmptyObject returns {}, the value of a JSON field that nobody set.
func EmptyObject() JSON { return JSON("{}") }

// Scan reads the column of either engine; it copies, since drivers reuse buffers.
func (j *JSON) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*j = nil
	case []byte:
		*j = append(JSON(nil), v...)
	case string:
		*j = JSON(v)
	default:
		return fmt.Errorf("scan JSON from %T", src)
	}
	return nil
}

// Value hands the text to the driver: a string, since SQLite would store bytes as a
// BLOB.
func (j JSON) Value() (driver.Value, error) {
	if j == nil {
		return nil, nil //nolint:nilnil // SQL's NULL
	}
	return string(j), nil
}

// MarshalJSON writes the value as it is; nil is null.
func (j JSON) MarshalJSON() ([]byte, error) {
	if j == nil {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON keeps a copy of the text.
func (j *JSON) UnmarshalJSON(data []byte) error {
	if j == nil {
		return errors.New("unmarshal JSON into nil")
	}
	*j = append((*j)[:0], data...)
	return nil
}
