package loadtest

import "slices"

// judge compares what was measured with the thresholds.
func (rep *Report) judge(s *Scenario) {
	rep.Passed = true
	for _, t := range s.Thresholds {
		j := rep.judgment(t)
		rep.Thresholds = append(rep.Thresholds, j)
		rep.Passed = rep.Passed && j.Kept
	}
}

func (rep *Report) judgment(t Threshold) Judgment {
	value, known := rep.value(t)
	j := Judgment{Threshold: t.text, Value: value, Kept: known && t.holds(value), Shown: "not measured"}
	switch {
	case known:
		j.Shown = t.show(value)
	case t.measure == "hit_rate":
		j.Shown = "no cache figures"
	}
	return j
}

// value returns what a threshold is about; false if nothing is known of it.
func (rep *Report) value(t Threshold) (float64, bool) {
	f := &rep.Total
	if t.call != "" {
		i := slices.IndexFunc(rep.Calls, func(c Figures) bool { return c.Call == t.call })
		if i < 0 {
			return 0, false
		}
		f = &rep.Calls[i]
	}
	switch t.measure {
	case "hit_rate":
		if rep.Server.HitRate == nil {
			return 0, false
		}
		return *rep.Server.HitRate, true
	case "checks_failed":
		return rep.checksFailed(t.call)
	case "users":
		return float64(rep.MaxUsers), true
	}
	if f.Requests == 0 {
		return 0, false
	}
	switch t.measure {
	case "failed":
		return f.FailedShare, true
	case "rate":
		return f.PerSecond, true
	case "mean":
		return f.Corrected.Mean, true
	case "max":
		return f.Corrected.Max, true
	default:
		return f.quantile(t.quantile)
	}
}

// quantile is a corrected latency; of a report that was read from a file only some are
// known.
func (f *Figures) quantile(percent float64) (float64, bool) {
	if f.corrected != nil {
		return quantile(f.corrected, percent), true
	}
	v, known := map[float64]float64{
		50: f.Corrected.P50, 90: f.Corrected.P90, 95: f.Corrected.P95, 99: f.Corrected.P99, 99.9: f.Corrected.P999, 100: f.Corrected.Max,
	}[percent]
	return v, known
}

func (rep *Report) checksFailed(call string) (float64, bool) {
	var failed, all int64
	for i := range rep.Calls {
		if call != "" && rep.Calls[i].Call != call {
			continue
		}
		for _, c := range rep.Calls[i].Checks {
			failed += c.Failed
			all += c.Passed + c.Failed
		}
	}
	if all == 0 {
		return 0, false
	}
	return float64(failed) / float64(all), true
}
