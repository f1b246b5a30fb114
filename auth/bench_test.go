package auth_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/store"
)

// benchService is a service with the parameters of production on an SQLite file.
func benchService(b *testing.B) *auth.Service {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{URL: "sqlite://" + filepath.Join(b.TempDir(), "hal9.db"), Migrate: true, MaxConnections: 8})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	s, err := auth.New(auth.Config{Store: st, FailuresPerAccount: 1 << 20, FailuresPerAddress: 1 << 20, HashQueueTimeout: patience})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.Register(b.Context(), auth.RegisterParams{Username: "ann", Password: password}); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkPasswordHash verifies passwords on all cores: with hashes/s it tells how
// many logins this machine can take.
func BenchmarkPasswordHash(b *testing.B) {
	s := benchService(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := s.Login(b.Context(), auth.LoginParams{Username: "nobody", Password: "wrong password"})
			if err == nil || !strings.Contains(err.Error(), "wrong") {
				b.Errorf("got %v", err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hashes/s")
}

// BenchmarkAuthenticate proves credentials against the store, without any cache.
func BenchmarkAuthenticate(b *testing.B) {
	s := benchService(b)
	grant, err := s.Login(b.Context(), auth.LoginParams{Username: "ann", Password: password})
	if err != nil {
		b.Fatal(err)
	}
	p, err := s.Authenticate(b.Context(), grant.AccessToken)
	if err != nil {
		b.Fatal(err)
	}
	_, key, err := s.APIKeyCreate(b.Context(), p, auth.APIKeyCreateParams{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, credential string }{
		{"AccessToken", grant.AccessToken}, {"APIKey", key}, {"Mistyped", grant.AccessToken[:len(grant.AccessToken)-1] + "g"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Authenticate(b.Context(), c.credential); (err != nil) != (c.name == "Mistyped") {
					b.Fatal(err)
				}
			}
		})
	}
}
