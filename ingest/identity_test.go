package ingest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/ingest"
	"github.com/hal9-ai/hal9/model"
)

func TestIdentify(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 7, 8, 9, 10, 11, 345_678_900, time.UTC)
	clock := func() time.Time { return now }
	ids := model.NewIDGenerator(clock)
	bounded := ingest.Identities{IDs: ids, Clock: clock, Retention: 30 * 24 * time.Hour}
	forever := ingest.Identities{IDs: ids, Clock: clock}

	idAt := func(t time.Time) *uuid.UUID { id := ids.NewAt(t); return &id }
	at := func(t time.Time) *time.Time { return &t }
	v4 := uuid.MustParse("b0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b")
	oddVariant := uuid.MustParse("019bd0d3-0000-7000-c000-000000000000")
	ms := now.Truncate(time.Millisecond)
	month := 30 * 24 * time.Hour

	tests := []struct {
		name  string
		with  ingest.Identities
		id    *uuid.UUID
		at    *time.Time
		want  time.Time
		field string // of the error
		says  string
	}{
		{name: "neither", with: bounded, want: ms},
		{name: "id", with: bounded, id: idAt(now.Add(-time.Hour)), want: ms.Add(-time.Hour)},
		{name: "id and its time", with: bounded, id: idAt(now), at: at(ms), want: ms},
		{name: "id and its time, finer", with: bounded, id: idAt(now), at: at(now), want: ms},
		{name: "id and its time, elsewhere", with: bounded, id: idAt(now), at: at(ms.In(time.FixedZone("", 7200))), want: ms},
		{name: "id and another time", with: bounded, id: idAt(now), at: at(ms.Add(time.Millisecond)), field: "timestamp", says: "2026-07-08T09:10:11.345Z"},
		{name: "id of version 4", with: bounded, id: &v4, field: "id", says: "version 7"},
		{name: "nil id", with: bounded, id: &uuid.Nil, field: "id", says: "version 7"},
		{name: "greatest id", with: bounded, id: &uuid.Max, field: "id", says: "version 7"},
		{name: "id of another variant", with: bounded, id: &oddVariant, field: "id", says: "version 7"},
		{name: "id a minute ahead", with: bounded, id: idAt(ms.Add(time.Minute)), want: ms.Add(time.Minute)},
		{name: "id further ahead", with: bounded, id: idAt(ms.Add(time.Minute + time.Millisecond)), field: "id", says: "future"},
		{name: "id as old as kept", with: bounded, id: idAt(ms.Add(time.Millisecond - month)), want: ms.Add(time.Millisecond - month)},
		{name: "id older than kept", with: bounded, id: idAt(now.Add(-month - time.Millisecond)), field: "id", says: "30d"},
		{name: "old id, kept for ever", with: forever, id: idAt(now.AddDate(-50, 0, 0)), want: ms.AddDate(-50, 0, 0)},
		{name: "time", with: bounded, at: at(now.Add(-time.Hour)), want: ms.Add(-time.Hour)},
		{name: "time ahead", with: bounded, at: at(now.Add(2 * time.Minute)), field: "timestamp", says: "future"},
		{name: "time far ahead", with: forever, at: at(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)), field: "timestamp", says: "future"},
		{name: "old time", with: bounded, at: at(now.Add(-month - time.Hour)), field: "timestamp", says: "30d"},
		{name: "first time", with: forever, at: at(time.Unix(0, 0)), want: time.Unix(0, 0).UTC()},
		{name: "before the first time", with: forever, at: at(time.Unix(0, -1)), field: "timestamp", says: "1970"},
		{name: "zero time", with: forever, at: at(time.Time{}), field: "timestamp", says: "1970"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			id, got, err := test.with.Identify(test.id, test.at)
			if test.field != "" {
				var fault *model.Error
				if !errors.As(err, &fault) || !errors.Is(fault.Kind, model.ErrInvalid) || fault.Field != test.field || !strings.Contains(fault.Reason, test.says) {
					t.Fatalf("error %v, want ErrInvalid of %s that says %q", err, test.field, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(test.want) || got.Location() != time.UTC {
				t.Errorf("time %s, want %s", got, test.want)
			}
			if inside, ok := model.IDTime(id); !ok || !inside.Equal(got) {
				t.Errorf("the id's time is %s, %t, want %s", inside, ok, got)
			}
			if test.id != nil && id != *test.id {
				t.Errorf("id %s, want %s", id, *test.id)
			}
		})
	}
}
