//go:build faults

package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestLongNetworkFaults prints what clients see of each fault, for make network-faults.
func TestLongNetworkFaults(t *testing.T) {
	lasts := 8 * time.Second
	if os.Getenv("QUICK") != "" {
		lasts = time.Second
	}
	n := startNetwork(t)
	fmt.Printf("server.request_timeout %s, database.statement_timeout 1s, database.acquire_timeout 500ms; %d clients, each fault for %s and five requests a client\n", networkRequestTimeout, networkClients, lasts)
	fmt.Println(networkHead)
	for _, f := range networkFaults() {
		fmt.Println(n.disturb(t, "PostgreSQL", n.databaseProxy, f, lasts))
	}
	for _, f := range networkFaults() {
		fmt.Println(n.disturb(t, "Valkey", n.cacheProxy, f, lasts))
	}
	if code := n.end(); code != exitOK {
		t.Errorf("ended with %d\n%s", code, n.stderr)
	}
}
