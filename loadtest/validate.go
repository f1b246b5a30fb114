package loadtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Validate tells all that is wrong with a scenario, and what to do about it.
func (s *Scenario) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if s.Name == "" {
		fault("name is missing: say what the report should call this scenario")
	}
	if s.Pick != pickDeck && s.Pick != pickRandom {
		fault("pick is %q: use deck or random", s.Pick)
	}
	if s.Timeout < Duration(time.Millisecond) {
		fault("timeout is %v: give at least 1ms", s.Timeout)
	}
	if s.MaxRequests < 0 {
		fault("max_requests is %d: give 1 or more, or leave it out", s.MaxRequests)
	}
	s.validateStages(fault)
	s.validateKeys(fault)
	if len(s.Journeys) == 0 {
		fault("journeys is empty: say what users do")
	}
	calls := map[string]bool{}
	for i := range s.Journeys {
		s.validateJourney(&s.Journeys[i], fmt.Sprintf("journeys[%d]", i), calls, fault)
	}
	if len(calls) > maxCalls {
		fault("the journeys have %d different calls: give at most %d, so that memory stays bounded", len(calls), maxCalls)
	}
	if len(faults) == 0 {
		for _, c := range newPlan(s).calls {
			if len(c.checks) > maxChecks {
				fault("the call %q has %d different checks: give steps with different checks different names", c.name, len(c.checks))
			}
		}
	}
	for _, t := range s.Thresholds {
		if t.call != "" && !calls[t.call] {
			fault("threshold %q: there is no call %q", t, t.call)
		}
	}
	return errors.Join(faults...)
}

type faulter func(format string, args ...any)

func (s *Scenario) validateStages(fault faulter) {
	if len(s.Stages) == 0 {
		fault("stages is empty: give for and users, as in {for: 30s, users: 100}")
		return
	}
	for i, stage := range s.Stages {
		if stage.Users < 0 || stage.Users > maxUsers {
			fault("stages[%d].users is %d: give 0 to %d", i, stage.Users, maxUsers)
		}
	}
	switch d := s.Duration(); {
	case d <= 0:
		fault("the stages take no time: give for")
	case d > maxDuration:
		fault("the stages take %v: give at most %v", d, maxDuration)
	case time.Duration(s.WarmUp) >= d:
		fault("warm_up is %v: the stages take only %v", s.WarmUp, d)
	}
	if s.MaxUsers() == 0 {
		fault("no stage has users: give at least 1")
	}
}

func (s *Scenario) validateKeys(fault faulter) {
	a, n := s.Accounts, s.Neurons
	const most = 10_000_000
	if a.Register < 0 || a.Register > 10_000 {
		fault("accounts.register is %d: give 0 to 10000; each costs two password hashes, and 'hal9 loadtest seed' makes more", a.Register)
	}
	if a.Count < 0 || a.Count > most || n.Count < 0 || n.Count > most {
		fault("accounts.count and neurons.count are numbers from 0 to %d", most)
	}
	if a.Zipf < 0 || a.Zipf > 10 || n.Zipf < 0 || n.Zipf > 10 {
		fault("zipf is an exponent from 0 to 10")
	}
	if n.Count > 0 && s.Choose["neuron"] != nil {
		fault("neurons.count and choose.neuron both say what {neuron} is: leave one out")
	}
	for name, words := range s.Choose {
		if len(words) == 0 {
			fault("choose.%s is empty: give the words to choose from", name)
		}
		if slices.Contains(builtinNames(), name) && name != "neuron" {
			fault("choose.%s: {%s} has a meaning of its own; take another name", name, name)
		}
	}
}

func (s *Scenario) validateJourney(j *Journey, at string, calls map[string]bool, fault faulter) {
	if j.Name == "" {
		fault("%s.name is missing", at)
	}
	if j.Weight < 1 || j.Weight > 1_000_000 {
		fault("%s.weight is %d: give 1 to 1000000", at, j.Weight)
	}
	if len(j.Steps) == 0 {
		fault("%s.steps is empty: give at least one call", at)
	}
	known := s.placeholders()
	for k := range j.Steps {
		step, at := &j.Steps[k], fmt.Sprintf("%s.steps[%d]", at, k)
		calls[step.Call] = true
		if !strings.HasPrefix(step.Path, "/") || strings.ContainsAny(step.Path, " \r\n#") {
			fault("%s.path is %q: begin it with /, without spaces", at, step.Path)
		}
		if !slices.Contains([]string{"GET", "POST", "PUT", "DELETE", "PATCH"}, step.Method) {
			fault("%s.method is %q: use GET, POST, PUT, PATCH or DELETE", at, step.Method)
		}
		if strings.ContainsAny(step.Bearer, "\r\n") {
			fault("%s.bearer holds a line break", at)
		}
		if step.AtMost < 0 || step.Hashes < 0 {
			fault("%s: at_most and hashes are 0 or more", at)
		}
		for _, text := range []string{step.Path, step.Body, step.Bearer} {
			for _, name := range placeholdersIn(text) {
				if !known[name] {
					fault("%s: {%s} stands for nothing: define it under choose, or keep it in a step before", at, name)
				}
			}
		}
		if len(step.Checks) > maxChecks/4 {
			fault("%s has %d checks: give at most %d", at, len(step.Checks), maxChecks/4)
		}
		for name, path := range step.Keep {
			if path == "" || !isName(name) {
				fault("%s.keep.%s: give a name of small letters and the path of a value, as in first: data.0.id", at, name)
			}
			known[name] = true
		}
		for c := range step.Checks {
			if problem := step.Checks[c].validate(); problem != "" {
				fault("%s.checks[%d]: %s", at, c, problem)
			}
		}
	}
}

// placeholders are those that stand for something before the first step.
func (s *Scenario) placeholders() map[string]bool {
	known := map[string]bool{}
	for _, name := range builtinNames() {
		known[name] = true
	}
	known["neuron"] = s.Neurons.Count > 0
	for name := range s.Choose {
		known[name] = true
	}
	return known
}

func (c *Check) validate() string {
	given := 0
	for _, is := range []bool{c.Status != 0, c.JSON != "", c.FasterThan != 0} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return "give exactly one of status, json and faster_than"
	case c.Status != 0 && (c.Status < 200 || c.Status > 599):
		return fmt.Sprintf("status is %d: give 200 to 599", c.Status)
	case c.JSON == "" && (c.Is != "" || c.AtLeast != nil):
		return "is and at_least are about a value: say which by json"
	case !slices.Contains([]string{"", "boolean", "number", "string", "array", "object"}, c.Is):
		return fmt.Sprintf("a kind %q there is not: use boolean, number, string, array or object", c.Is)
	default:
		return ""
	}
}
