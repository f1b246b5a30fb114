package loadtest

import (
	"fmt"
	"math"
	"time"
)

// Scenario tells what virtual users do, in the form that its YAML file has. Zero fields
// get the defaults that are told here.
type Scenario struct {
	// Name is what the report calls it.
	Name string `yaml:"name"`
	// Description is one or two sentences for the report.
	Description string `yaml:"description"`
	// Stages follow one another. In each the number of users goes evenly from that of
	// the stage before, 0 at first, to its own.
	Stages []Stage `yaml:"stages"`
	// WarmUp is the time at the beginning that counts for nothing but the plots.
	WarmUp Duration `yaml:"warm_up"`
	// ThinkTime is what a user waits between two journeys.
	ThinkTime Think `yaml:"think_time"`
	// Pick tells how a user comes to the next journey: "deck" deals all journeys in
	// the exact shares of their weights, shuffled; "random" draws each one. deck.
	Pick string `yaml:"pick"`
	// Timeout bounds one request. 10 s.
	Timeout Duration `yaml:"timeout"`
	// MaxRequests ends the run. 50 million.
	MaxRequests int64 `yaml:"max_requests"`
	// HashShare bounds the users by the password hashes that their journeys cost: at
	// most this part of the rate that was measured is asked for. 0 does not bound.
	HashShare Share `yaml:"hash_share"`
	// Accounts are what users show tokens of.
	Accounts Accounts `yaml:"accounts"`
	// Neurons are what {neuron} stands for.
	Neurons Neurons `yaml:"neurons"`
	// Choose has for each placeholder the words of which one is drawn evenly for each
	// journey.
	Choose map[string][]string `yaml:"choose"`
	// Journeys are what users do.
	Journeys []Journey `yaml:"journeys"`
	// Thresholds are what the run is held to.
	Thresholds []Threshold `yaml:"thresholds"`
}

// Stage is a part of the run.
type Stage struct {
	For   Duration `yaml:"for"`
	Users int      `yaml:"users"`
}

// Accounts tells how users come by tokens: {token}, {username} and {password}.
type Accounts struct {
	// Register is how many accounts are registered and logged in before the run,
	// unless accounts are given to Run. Users share them evenly.
	Register int `yaml:"register"`
	// Zipf draws the account anew for each journey, the first most often, by Zipf's
	// law with this exponent. 0 gives each user one account for good.
	Zipf float64 `yaml:"zipf"`
	// Count is how many of the accounts that are given to Run are used; 0 is all.
	Count int `yaml:"count"`
}

// Neurons are the neurons that {neuron} is drawn from: Prefix and a number from 1 to
// Count in five digits, the first most often, by Zipf's law with the exponent Zipf; 0
// draws evenly. `hal9 loadtest seed` stores them.
type Neurons struct {
	Prefix string  `yaml:"prefix"` // load-neuron-
	Count  int     `yaml:"count"`
	Zipf   float64 `yaml:"zipf"`
}

// Journey is a sequence of calls.
type Journey struct {
	Name string `yaml:"name"`
	// Weight is its share of all journeys, in relation to the others' weights.
	Weight int `yaml:"weight"`
	// Steps are taken in turn. One that fails ends the journey, since the next ones
	// need what it would have answered.
	Steps []Step `yaml:"steps"`
}

// Step is one call with its checks. Path, Body and Bearer may hold placeholders.
type Step struct {
	// Call is what the report calls it; steps of one name count together.
	Call   string `yaml:"call"`
	Method string `yaml:"method"` // GET, or POST with a body
	Path   string `yaml:"path"`
	Body   string `yaml:"body"`
	// Bearer is the credential that is shown.
	Bearer string `yaml:"bearer"`
	// Share is the part of the journeys that take this step. 100 %.
	Share Share `yaml:"share"`
	// AtMost bounds how often all users together take the step, per second. Beyond it
	// the step is passed over.
	AtMost float64 `yaml:"at_most"`
	// Hashes is how many password hashes the server computes for it.
	Hashes int `yaml:"hashes"`
	// Checks are made on each answer.
	Checks []Check `yaml:"checks"`
	// Keep takes values from the answer, by placeholder and path in the JSON, for the
	// steps that follow.
	Keep map[string]string `yaml:"keep"`
}

// Check is one expectation; exactly one of Status, JSON and FasterThan is given.
type Check struct {
	// Status is the status code.
	Status int `yaml:"status"`
	// JSON is a path in the answer, as in data.0.id, whose value has to be there.
	JSON string `yaml:"json"`
	// Is asks the value at JSON to be a boolean, number, string, array or object.
	Is string `yaml:"is"`
	// AtLeast asks the value at JSON to be a number that is not less.
	AtLeast *float64 `yaml:"at_least"`
	// FasterThan is the time to the end of the answer.
	FasterThan Duration `yaml:"faster_than"`
}

// The ways to pick a journey.
const (
	pickDeck   = "deck"
	pickRandom = "random"
)

// What a run is bounded by, whatever the scenario says.
const (
	maxDuration = 24 * time.Hour
	maxUsers    = 100_000
	maxCalls    = 50
	maxChecks   = 64
)

// WithDefaults returns a copy in which zero fields hold their defaults.
func (s Scenario) WithDefaults() Scenario {
	setDefault(&s.Pick, pickDeck)
	setDefault(&s.Timeout, Duration(10*time.Second))
	setDefault(&s.MaxRequests, 50_000_000)
	setDefault(&s.Neurons.Prefix, NeuronPrefix)
	journeys := make([]Journey, len(s.Journeys))
	for i, j := range s.Journeys {
		j.Steps = append([]Step(nil), j.Steps...)
		for k := range j.Steps {
			step := &j.Steps[k]
			setDefault(&step.Share, 1)
			setDefault(&step.Call, j.Name)
			if step.Method == "" {
				step.Method = "GET"
				if step.Body != "" {
					step.Method = "POST"
				}
			}
		}
		journeys[i] = j
	}
	s.Journeys = journeys
	return s
}

// NeuronPrefix is what the names of neurons for load tests begin with.
const NeuronPrefix = "load-neuron-"

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Duration is how long all stages take.
func (s *Scenario) Duration() time.Duration {
	var all time.Duration
	for _, stage := range s.Stages {
		all += time.Duration(stage.For)
	}
	return all
}

// MaxUsers is the most users at a time.
func (s *Scenario) MaxUsers() int {
	most := 0
	for _, stage := range s.Stages {
		most = max(most, stage.Users)
	}
	return most
}

// ScaleUsers changes the numbers of users in all stages so that the highest is most.
func (s *Scenario) ScaleUsers(most int) {
	highest := s.MaxUsers()
	stages := append([]Stage(nil), s.Stages...)
	for i := range stages {
		stages[i].Users = (stages[i].Users*most + highest/2) / highest
		if s.Stages[i].Users > 0 {
			stages[i].Users = max(1, stages[i].Users)
		}
	}
	s.Stages = stages
}

// ScaleTime changes the lengths of all stages so that they take d together, and the
// warm-up with them.
func (s *Scenario) ScaleTime(d time.Duration) {
	factor := float64(d) / float64(s.Duration())
	stages := append([]Stage(nil), s.Stages...)
	for i := range stages {
		stages[i].For = Duration(float64(stages[i].For) * factor)
	}
	s.Stages = stages
	s.WarmUp = Duration(float64(s.WarmUp) * min(1, factor))
}

// usersAt is how many users there are at a moment of the run.
func (s *Scenario) usersAt(at time.Duration) int {
	before := 0
	for _, stage := range s.Stages {
		length := time.Duration(stage.For)
		if at < length {
			return before + int(math.Round(float64(stage.Users-before)*float64(at)/float64(length)))
		}
		at -= length
		before = stage.Users
	}
	return before
}

// hashesPerJourney is how many password hashes a journey costs on average.
func (s *Scenario) hashesPerJourney() float64 {
	all, weights := 0.0, 0
	for _, j := range s.Journeys {
		weights += j.Weight
		for _, step := range j.Steps {
			all += float64(j.Weight) * float64(step.Share) * float64(step.Hashes)
		}
	}
	return all / float64(weights)
}

// SetLoginShare changes the share of the steps that only some journeys take and that
// cost a password hash: fresh logins. It fails where there is none.
func (s *Scenario) SetLoginShare(text string) error {
	share, err := parseShare(text)
	if err != nil || share <= 0 || share > 1 {
		return fmt.Errorf("%q is no share: write 0.5%% or 0.005", text)
	}
	changed := false
	for i := range s.Journeys {
		for k := range s.Journeys[i].Steps {
			if step := &s.Journeys[i].Steps[k]; step.Hashes > 0 && step.Share < 1 {
				step.Share, changed = Share(share), true
			}
		}
	}
	if !changed {
		return fmt.Errorf("the scenario %s has no step of fresh logins: one with hashes and share", s.Name)
	}
	return nil
}
