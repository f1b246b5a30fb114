package loadtest

import "runtime"

// HashLimit tells how many users the server's hashing of passwords allows.
type HashLimit struct {
	HashesPerSecond  float64 `json:"hashes_per_second"`
	Cores            int     `json:"cores"`
	HashesPerJourney float64 `json:"hashes_per_journey"`
	Share            float64 `json:"share"`
	WantedUsers      int     `json:"wanted_users"`
	// AllowedUsers is 0 where the scenario does not bound its users.
	AllowedUsers int `json:"allowed_users"`
	CoresFor1000 int `json:"cores_for_1000_users"`
}

// limitUsers holds the number of users to what the server's hashing allows.
func (r *running) limitUsers(prep *preparation) *HashLimit {
	s := r.plan.scenario
	if prep.hashesPerSecond == 0 {
		return nil
	}
	limit := &HashLimit{
		HashesPerSecond: round(prep.hashesPerSecond, 1), Cores: runtime.NumCPU(),
		HashesPerJourney: round(s.hashesPerJourney(), 4), Share: float64(s.HashShare), WantedUsers: s.MaxUsers(),
	}
	if s.HashShare == 0 || limit.HashesPerJourney == 0 {
		return limit
	}
	// One user makes a journey in each time to think, and what the calls take makes it
	// fewer: the estimate errs on the side of fewer users.
	perUser := s.hashesPerJourney() / max(s.ThinkTime.mean().Seconds(), 0.001)
	allowed := int(prep.hashesPerSecond * float64(s.HashShare) / perUser)
	limit.AllowedUsers = max(1, allowed)
	const asked = 1000
	limit.CoresFor1000 = int(asked*perUser/float64(s.HashShare)/(prep.hashesPerSecond/float64(limit.Cores)) + 0.999)
	if limit.AllowedUsers < s.MaxUsers() {
		s.ScaleUsers(limit.AllowedUsers)
	}
	return limit
}
