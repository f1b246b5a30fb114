package postgres

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hal9-ai/hal9/model"
)

// The driver knows neither UUIDs nor JSON as this program has them: it makes each UUID a
// text, tries that, and reads it as one again, and goes through slices by reflection, an
// allocation a value. A batch of signals is nine slices. The codecs here know them and
// leave all else, and the text format, to the driver's own.

// registerTypes has a connection use them.
func registerTypes(m *pgtype.Map) {
	// pgx hands out times in the local zone unless it is told.
	moment := &pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}}
	id := &pgtype.Type{Name: "uuid", OID: pgtype.UUIDOID, Codec: uuidCodec{}}
	text, _ := m.TypeForOID(pgtype.TextOID) // pgtype's own, which every map has
	jsonb, _ := m.TypeForOID(pgtype.JSONBOID)
	m.RegisterTypes([]*pgtype.Type{
		moment, id,
		{Name: "_timestamptz", OID: pgtype.TimestamptzArrayOID, Codec: arrayOf(moment, appendMoment)},
		{Name: "_uuid", OID: pgtype.UUIDArrayOID, Codec: arrayOf(id, appendUUID)},
		{Name: "_text", OID: pgtype.TextArrayOID, Codec: arrayOf(text, appendText)},
		{Name: "_jsonb", OID: pgtype.JSONBArrayOID, Codec: arrayOf(jsonb, appendJSONB)},
	})
}

// uuidCodec is the driver's with uuid.UUID.
type uuidCodec struct{ pgtype.UUIDCodec }

// PlanEncode implements pgtype.Codec.
func (c uuidCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return encodeUUID{}
	}
	return c.UUIDCodec.PlanEncode(m, oid, format, value)
}

// PlanScan implements pgtype.Codec.
func (c uuidCodec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*uuid.UUID); ok && format == pgtype.BinaryFormatCode {
		return scanUUID{}
	}
	return c.UUIDCodec.PlanScan(m, oid, format, target)
}

type encodeUUID struct{}

// Encode implements pgtype.EncodePlan.
func (encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	id, ok := value.(uuid.UUID)
	if !ok {
		return nil, fmt.Errorf("write %T as a uuid", value)
	}
	return append(buf, id[:]...), nil
}

type scanUUID struct{}

// Scan implements pgtype.ScanPlan. NULL is the zero UUID, as uuid.UUID itself has it.
func (scanUUID) Scan(src []byte, target any) error {
	id, ok := target.(*uuid.UUID)
	switch {
	case !ok || len(src) != len(id) && src != nil:
		return fmt.Errorf("read %d bytes of uuid into %T", len(src), target)
	case src != nil:
		*id = uuid.UUID(src)
	}
	return nil
}

// arrayCodec is the driver's with []T.
type arrayCodec[T any] struct {
	*pgtype.ArrayCodec

	append appendElement[T]
}

// appendElement writes one element; false says that it is NULL.
type appendElement[T any] func(buf []byte, v T) ([]byte, bool)

func arrayOf[T any](element *pgtype.Type, one appendElement[T]) pgtype.Codec {
	return &arrayCodec[T]{&pgtype.ArrayCodec{ElementType: element}, one}
}

// PlanEncode implements pgtype.Codec.
func (c *arrayCodec[T]) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]T); ok && format == pgtype.BinaryFormatCode {
		return c
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

// Encode implements pgtype.EncodePlan: dimensions, whether there are NULLs, the type of
// the elements, how many there are, the index of the first, and the elements, each behind
// its length (array_send in PostgreSQL's arrayfuncs.c).
func (c *arrayCodec[T]) Encode(value any, buf []byte) ([]byte, error) {
	all, ok := value.([]T)
	if !ok {
		return nil, fmt.Errorf("write %T as %s[]", value, c.ElementType.Name)
	}
	if all == nil {
		return nil, nil // NULL
	}
	buf = binary.BigEndian.AppendUint32(buf, 1)
	nulls := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, 0)
	buf = binary.BigEndian.AppendUint32(buf, c.ElementType.OID)
	buf = appendCopyLength(buf, len(all))
	buf = binary.BigEndian.AppendUint32(buf, 1)
	for _, v := range all {
		place := len(buf)
		buf = append(buf, 0xff, 0xff, 0xff, 0xff) // NULL
		var there bool
		if buf, there = c.append(buf, v); !there {
			buf[nulls+3] = 1
			continue
		}
		binary.BigEndian.PutUint32(buf[place:], uint32(len(buf)-place-4)) //nolint:gosec // values are bounded far below
	}
	return buf, nil
}

func appendUUID(buf []byte, id uuid.UUID) ([]byte, bool) { return append(buf, id[:]...), true }

func appendText(buf []byte, text string) ([]byte, bool) { return append(buf, text...), true }

// appendJSONB: version 1 of jsonb's format is the text.
func appendJSONB(buf []byte, v model.JSON) ([]byte, bool) {
	if v == nil {
		return buf, false
	}
	return append(append(buf, 1), v...), true
}

func appendMoment(buf []byte, at time.Time) ([]byte, bool) {
	return binary.BigEndian.AppendUint64(buf, uint64(copyMoment(at))), true //nolint:gosec // the sign goes along
}
