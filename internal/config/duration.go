package config

import (
	"errors"
	"time"
)

// ParseDuration reads a duration as settings are written: a whole number of seconds, or
// a text such as 500ms, 15m or 90d.
func ParseDuration(text string) (time.Duration, error) {
	d, ok := parseDuration(text)
	if !ok {
		return 0, errors.New("write a duration such as 15m, 2h or 90d")
	}
	return d, nil
}
