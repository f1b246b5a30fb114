package loadtest

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a time such as 500ms, 30s or 5m.
type Duration time.Duration

// UnmarshalYAML reads a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	parsed, err := parseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil {
		return fmt.Errorf("line %d: %q is no duration: write 500ms, 30s or 5m", n.Line, n.Value)
	}
	*d = Duration(parsed)
	return nil
}

// MarshalYAML writes a duration as it is read.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// String writes 5m, not 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = strconv.ErrRange
	}
	return d, err
}

// Share is a part of the whole: 0.1 % is written 0.1% or 0.001.
type Share float64

// UnmarshalYAML reads a share.
func (s *Share) UnmarshalYAML(n *yaml.Node) error {
	v, err := parseShare(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || v < 0 || v > 1 {
		return fmt.Errorf("line %d: %q is no share: write 0.5%% or 0.005, from 0 to 100%%", n.Line, n.Value)
	}
	*s = Share(v)
	return nil
}

func parseShare(text string) (float64, error) {
	if percent, cut := strings.CutSuffix(text, "%"); cut {
		v, err := strconv.ParseFloat(strings.TrimSpace(percent), 64)
		return v / 100, err //nolint:wrapcheck // callers say what is wrong
	}
	return strconv.ParseFloat(text, 64) //nolint:wrapcheck // as above
}

// Think is a time to think: one duration, or the shortest and the longest, as in
// 500ms-2s, between which it is drawn evenly.
type Think struct{ Min, Max time.Duration }

// UnmarshalYAML reads a time to think.
func (t *Think) UnmarshalYAML(n *yaml.Node) error {
	shortest, longest, isRange := strings.Cut(n.Value, "-")
	if !isRange {
		longest = shortest
	}
	var err, err2 error
	t.Min, err = parseDuration(strings.TrimSpace(shortest))
	t.Max, err2 = parseDuration(strings.TrimSpace(longest))
	if n.Kind != yaml.ScalarNode || err != nil || err2 != nil || t.Min > t.Max {
		return fmt.Errorf("line %d: %q is no time to think: write 1s, or 500ms-2s", n.Line, n.Value)
	}
	return nil
}

// String writes it as it is read.
func (t Think) String() string {
	if t.Min == t.Max {
		return Duration(t.Min).String()
	}
	return Duration(t.Min).String() + "-" + Duration(t.Max).String()
}

func (t Think) mean() time.Duration { return (t.Min + t.Max) / 2 }
