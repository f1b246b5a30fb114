package loadtest

import (
	"time"

	"github.com/tidwall/gjson"
)

// Bodies up to this size are checked to be JSON as a whole; of larger ones, which would
// take the processor from the server, one in sixteen.
const (
	alwaysValidate = 1 << 10
	validateEvery  = 16
)

// holds tells whether an answer is as expected. A path is looked up without decoding
// the rest; valid tells that the body is JSON as a whole, as far as that was looked at.
func (c *Check) holds(a *answer, took time.Duration, valid bool) bool {
	switch {
	case c.Status != 0:
		return a.status == c.Status
	case c.FasterThan != 0:
		return took < time.Duration(c.FasterThan)
	}
	if !valid {
		return false
	}
	v := gjson.GetBytes(a.body, c.JSON)
	if c.AtLeast != nil {
		return v.Type == gjson.Number && v.Num >= *c.AtLeast
	}
	switch c.Is {
	case "boolean":
		return v.IsBool()
	case "number":
		return v.Type == gjson.Number
	case "string":
		return v.Type == gjson.String
	case "array":
		return v.IsArray()
	case "object":
		return v.IsObject()
	default:
		return v.Exists() && v.Type != gjson.Null
	}
}

// wantsJSON tells whether any check or value to be kept reads the body.
func (s *stepPlan) wantsJSON() bool {
	for i := range s.checks {
		if s.checks[i].JSON != "" {
			return true
		}
	}
	return len(s.keep) > 0
}
