package model

import "time"

// LeastMonthsAhead is how many months after the present one should have their partition:
// with fewer, whoever is told of it has less than a month to mend what is in the way.
const LeastMonthsAhead = 2

// SignalMonthsAhead counts the months after the moment's that have their partition,
// without a gap from the moment's on: -1 says that its own has none, or is not listed.
func SignalMonthsAhead(all []SignalPartition, moment time.Time) int {
	moment = moment.UTC()
	ahead := -1
	for _, p := range all { // in order of time
		month := time.Date(moment.Year(), moment.Month()+time.Month(ahead+1), 1, 0, 0, 0, 0, time.UTC)
		if !p.IsDefault && p.Start.Equal(month) {
			ahead++
		}
	}
	return ahead
}

// Until is the end of a month as JSON can carry it: the last month of all ends in the year
// 10000, and is said to last until the last moment that a signal may have.
func (p *SignalPartition) Until() time.Time {
	if latest := MaxTime(); p.End.After(latest) {
		return latest
	}
	return p.End
}
