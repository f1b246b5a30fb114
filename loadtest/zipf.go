package loadtest

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf draws numbers from 0 to n-1: the k-th with a chance in proportion to
// 1/(k+1)^exponent, which is even for 0. It draws by the inverse of the cumulative
// distribution, so any exponent will do; math/rand's own needs one above 1.
type zipf struct {
	cumulative []float64 // nil draws evenly
	n          int
}

func newZipf(n int, exponent float64) *zipf {
	z := &zipf{n: n}
	if exponent == 0 {
		return z
	}
	z.cumulative = make([]float64, n)
	sum := 0.0
	for k := range z.cumulative {
		sum += math.Pow(float64(k+1), -exponent)
		z.cumulative[k] = sum
	}
	return z
}

func (z *zipf) draw(r *rand.Rand) int {
	if z.cumulative == nil {
		return r.IntN(z.n)
	}
	at := r.Float64() * z.cumulative[z.n-1]
	return min(sort.SearchFloat64s(z.cumulative, at), z.n-1)
}
