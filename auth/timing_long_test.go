//go:build faults

package auth_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/auth"
)

// loginSamples is how many logins are timed on each engine, half of each kind.
const loginSamples = 2000

// A refused login takes as long whether or not the name exists: who guesses from its time
// which it was is right half of the time. The figure is the area under the ROC curve, by
// the ranks of the times (Mann and Whitney); of 1,000 against 1,000 alike ones it lies
// within 0.45 and 0.55 in all but one of ten thousand runs. The hashes are cheaper than the
// service's, which lets what comes besides show all the more.
func TestLongLoginTimes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, b *bench) {
		const n = loginSamples / 2
		for i := range 50 {
			b.register("user-" + string(rune('A'+i)))
		}
		type sample struct {
			took   time.Duration
			exists bool
		}
		order := rand.Perm(loginSamples)
		samples := make([]sample, 0, loginSamples)
		for i := range loginSamples {
			exists := order[i] < n
			name := "nobody-" + string(rune('A'+rand.IntN(50)))
			if exists {
				name = "user-" + string(rune('A'+rand.IntN(50)))
			}
			began := time.Now()
			err := b.tryLogin(name, "a wrong password", home())
			samples = append(samples, sample{time.Since(began), exists})
			if !errors.Is(err, auth.ErrBadCredentials) {
				t.Fatal(err)
			}
		}
		slices.SortFunc(samples, func(a, b sample) int { return cmp.Compare(a.took, b.took) })
		ranks := 0.0
		for rank, s := range samples {
			if s.exists {
				ranks += float64(rank + 1)
			}
		}
		area := (ranks - n*(n+1)/2) / (n * n)
		t.Logf("%d samples, median %v, area under the ROC curve %.3f", loginSamples, samples[n].took, area)
		if area < 0.45 || area > 0.55 {
			t.Errorf("the time of a login tells which names exist: area %.3f", area)
		}
	}, func(c *auth.Config) {
		c.FailuresPerAccount, c.FailuresPerAddress = 1<<20, 1<<20
		c.Argon2 = auth.Argon2{MemoryKiB: 4096, Time: 1}
	})
}
