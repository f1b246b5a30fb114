package postgres

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hal9-ai/hal9/model"
)

// What is written here is what the driver would have written, byte by byte.
func TestCodecs(t *testing.T) {
	t.Parallel()
	plain, ours := pgtype.NewMap(), pgtype.NewMap()
	registerTypes(ours)
	a, b := uuid.MustParse("0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70"), uuid.Max
	for _, c := range []struct {
		oid   uint32
		value any
	}{
		{pgtype.UUIDOID, a},
		{pgtype.UUIDOID, uuid.Nil},
		{pgtype.UUIDOID, a.String()},
		{pgtype.UUIDOID, &a},
		{pgtype.UUIDOID, (*uuid.UUID)(nil)},
		{pgtype.UUIDOID, uuid.NullUUID{UUID: a, Valid: true}},
		{pgtype.UUIDArrayOID, []uuid.UUID{a, b}},
		{pgtype.UUIDArrayOID, []uuid.UUID{}},
		{pgtype.UUIDArrayOID, []uuid.UUID(nil)},
		{pgtype.UUIDArrayOID, []*uuid.UUID{&a, nil}},
		{pgtype.UUIDArrayOID, [][]uuid.UUID{{a}, {b}}},
		{pgtype.TextArrayOID, []string{"", "plan", "NULL", "ü\t{\"}"}},
		{pgtype.TextArrayOID, []string(nil)},
		{pgtype.TextArrayOID, []*string{nil}},
		{pgtype.JSONBArrayOID, []model.JSON{model.JSON(`{"a": [1, null]}`), nil, model.EmptyObject()}},
		{pgtype.JSONBArrayOID, []model.JSON{}},
		{pgtype.TimestamptzOID, time.UnixMicro(-1)},
		{pgtype.TimestamptzArrayOID, []time.Time{time.UnixMicro(1), time.UnixMicro(-62_135_596_800_000_000), model.MaxTime(), time.Unix(0, 1999)}},
		{pgtype.TimestamptzArrayOID, []time.Time{}},
	} {
		for _, format := range []int16{pgtype.BinaryFormatCode, pgtype.TextFormatCode} {
			prefix := []byte("before")
			want, wantErr := plain.Encode(c.oid, format, c.value, bytes.Clone(prefix))
			got, err := ours.Encode(c.oid, format, c.value, bytes.Clone(prefix))
			if (err == nil) != (wantErr == nil) || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
				t.Errorf("%T %v, format %d: %x, %v; the driver writes %x, %v", c.value, c.value, format, got, err, want, wantErr)
			}
		}
		if got, want := ours.FormatCodeForOID(c.oid), plain.FormatCodeForOID(c.oid); got != want {
			t.Errorf("type %d is written in format %d; the driver's is %d", c.oid, got, want)
		}
	}
}

// What comes in is read as the driver reads it.
func TestCodecScan(t *testing.T) {
	t.Parallel()
	plain, ours := pgtype.NewMap(), pgtype.NewMap()
	registerTypes(ours)
	id := uuid.MustParse("0199d2f4-7c00-7a31-8d52-0e6f4b1c9a70")
	for _, src := range [][]byte{id[:], nil, id[:15], {}} {
		want, got := uuid.Max, uuid.Max
		wantErr := plain.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, src, &want)
		err := ours.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, src, &got)
		if (err == nil) != (wantErr == nil) || got != want {
			t.Errorf("%x: %v, %v; the driver reads %v, %v", src, got, err, want, wantErr)
		}
	}
	var optional *uuid.UUID
	if err := ours.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, id[:], &optional); err != nil || optional == nil || *optional != id {
		t.Errorf("%v, %v", optional, err)
	}
	if err := ours.Scan(pgtype.UUIDOID, pgtype.BinaryFormatCode, nil, &optional); err != nil || optional != nil {
		t.Errorf("%v, %v", optional, err)
	}
}
