package ha

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// onePrimary is an error until HAProxy has found out which node is the primary: before
// its first checks fail it takes all nodes for one, and would lead to a standby.
func (c *Cluster) onePrimary(ctx context.Context) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Stats+"/;csv", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask HAProxy for its servers: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask HAProxy for its servers: %w", err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	rows, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil || len(rows) == 0 {
		return fmt.Errorf("read HAProxy's servers: %w", errors.Join(err, errNoRows))
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	up := 0 // "UP 1/2" too: one check failed, but it still gets connections
	for _, row := range rows[1:] {
		server := row[column["svname"]]
		if row[column["# pxname"]] == "primary" && server != "FRONTEND" && server != "BACKEND" && strings.HasPrefix(row[column["status"]], "UP") {
			up++
		}
	}
	if up != 1 {
		return fmt.Errorf("HAProxy takes %d nodes for the primary", up)
	}
	return nil
}

var errNoRows = errors.New("there are none, or they cannot be read")
