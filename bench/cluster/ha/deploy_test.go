package ha_test

import (
	"flag"
	"os"
	"testing"

	"github.com/hal9-ai/hal9/bench/cluster/ha"
)

var update = flag.Bool("update", false, "write the files of deploy anew")

// The files of deploy are those that `make cluster` runs, with other addresses. HAProxy
// itself is asked about its file by `make check-deploy`.
func TestDeployFilesAreWhatIsTried(t *testing.T) {
	t.Parallel()
	proxy, err := ha.ProxyConfig{
		API: ":8080", Primary: ":5432", Replicas: ":5433", Stats: "127.0.0.1:8404",
		Servers: []ha.Endpoint{{Name: "hal9-1", Address: "10.0.0.11:8080"}, {Name: "hal9-2", Address: "10.0.0.12:8080"}},
		Nodes: []ha.Endpoint{
			{Name: "db1", Address: "10.0.0.21:5432", Port: 8008},
			{Name: "db2", Address: "10.0.0.22:5432", Port: 8008},
			{Name: "db3", Address: "10.0.0.23:5432", Port: 8008},
		},
	}.Text()
	if err != nil {
		t.Fatal(err)
	}
	patroni, err := ha.PatroniConfig{
		Name: "db1", REST: "10.0.0.21:8008", Etcd: "10.0.0.31:2379,10.0.0.32:2379,10.0.0.33:2379", Address: "10.0.0.21:5432",
		Data: "/var/lib/postgresql/15/hal9", Bin: "/usr/lib/postgresql/15/bin", PgPass: "/var/lib/postgresql/.pgpass-patroni",
		SharedBuffers: "4GB", MaxConnections: 200, Synchronous: true, Strict: true,
		HBA: []string{"local all all peer", "host all all 10.0.0.0/24 scram-sha-256", "host replication replicator 10.0.0.0/24 scram-sha-256"},
	}.Text()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"../../../deploy/haproxy/haproxy.cfg": proxy,
		"../../../deploy/patroni/db1.yml":     patroni,
	} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s differs from what make cluster runs: go test ./bench/cluster/ha -update writes it", path)
		}
	}
}
