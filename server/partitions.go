package server

import (
	"context"
	"net/http"
	"time"

	"github.com/hal9-ai/hal9/auth"
)

// partition is a month of signals.
type partition struct {
	Name      string     `json:"name" example:"signals_y2026m01"`
	Since     *time.Time `json:"since" nullable:"true" doc:"Null for the default partition, which takes what no month does."`
	Until     *time.Time `json:"until" nullable:"true" doc:"The first moment after it."`
	IsDefault bool       `json:"is_default"`
	Rows      *int64     `json:"rows" nullable:"true" doc:"PostgreSQL's estimate, null before it has one; counted on SQLite."`
	Bytes     *int64     `json:"bytes" nullable:"true" doc:"With indexes; null on SQLite, where a month is no part of the file by itself."`
}

func (s *Server) registerPartitions() {
	register(s, operation{
		id: "PartitionList", method: http.MethodGet, path: "/api/v1/partitions", tag: tagStatus, access: scoped(auth.ScopeViewMetrics),
		summary: "List the months of signals", description: "As `hal9 partitions list`. On SQLite, which has no partitions, the months that hold signals, counted: not for each second.",
	}, s.partitionList)
}

func (s *Server) partitionList(ctx context.Context, _ *struct{}) (*answer[[]partition], error) {
	rows, err := s.store.SignalPartitionList(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]partition, len(rows))
	for i := range rows {
		row := &rows[i]
		p := partition{Name: row.Name, IsDefault: row.IsDefault}
		if !row.IsDefault {
			p.Since, p.Until = &row.Start, new(row.Until())
		}
		if row.Rows >= 0 {
			p.Rows = &row.Rows
		}
		if row.Bytes >= 0 {
			p.Bytes = &row.Bytes
		}
		list[i] = p
	}
	return ok(list), nil
}
