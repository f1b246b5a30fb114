package loadtest

import (
	"fmt"
	"slices"
	"strconv"
)

// plan is a scenario made ready to be played.
type plan struct {
	scenario *Scenario
	calls    []callPlan
	journeys []journeyPlan
	deck     []int // journeys in their exact shares; nil draws by weights
	weights  []int // sums
	slots    slots
	builtin  builtins
	choices  []choice
	neurons  *zipf
	accounts *zipf
	// bearer is whether every step without a credential shows the account's token.
	bearer bool
}

// callPlan is what the report tells of one call.
type callPlan struct {
	name   string
	checks []string
}

type journeyPlan struct {
	steps []stepPlan
	// usesAccount is whether a step holds a value of the account.
	usesAccount bool
}

type stepPlan struct {
	call   int
	share  float64
	limit  *rateLimit // nil for none
	method string
	path   template
	body   template
	bearer template
	checks []checkPlan
	keep   []keepPlan
}

type checkPlan struct {
	Check

	index int // among the call's checks
}

type keepPlan struct {
	slot int
	path string
}

// choice is a placeholder of which a word is drawn for each journey.
type choice struct {
	slot  int
	words []string
}

// maxDeck bounds the cards that every user holds.
const maxDeck = 1000

func newPlan(s *Scenario) *plan {
	p := &plan{scenario: s, slots: slots{}}
	for _, name := range append(builtinNames(), varNeuron) {
		p.slots.of(name)
	}
	for name, words := range s.Choose {
		p.choices = append(p.choices, choice{p.slots.of(name), words})
	}
	if s.Neurons.Count > 0 {
		p.neurons = newZipf(s.Neurons.Count, s.Neurons.Zipf)
	}
	divisor, sum := 0, 0
	for i := range s.Journeys {
		j := &s.Journeys[i]
		sum += j.Weight
		p.weights = append(p.weights, sum)
		divisor = gcd(divisor, j.Weight)
		p.journeys = append(p.journeys, p.journey(j))
	}
	p.builtin = p.findBuiltins()
	if s.Pick == pickDeck && sum/divisor <= maxDeck {
		for i := range s.Journeys {
			p.deck = append(p.deck, slices.Repeat([]int{i}, s.Journeys[i].Weight/divisor)...)
		}
	}
	return p
}

// builtins are the slots of what changes from journey to journey, -1 of what no step uses:
// to make it all for nothing would be a good part of what a request costs here.
type builtins struct{ iteration, random, time, neuron, username, password, token int }

func (p *plan) findBuiltins() builtins {
	used := map[int]bool{p.slots[varToken]: true} // shown without a placeholder too
	for i := range p.journeys {
		for j := range p.journeys[i].steps {
			step := &p.journeys[i].steps[j]
			for _, part := range slices.Concat(step.path, step.body, step.bearer) {
				used[part.slot] = true
			}
		}
	}
	slot := func(name string) int {
		if n := p.slots[name]; used[n] {
			return n
		}
		return -1
	}
	return builtins{
		slot(varIteration), slot(varRandom), slot(varTime), slot(varNeuron), slot(varUsername), slot(varPassword), slot(varToken),
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (p *plan) journey(j *Journey) journeyPlan {
	var plan journeyPlan
	for i := range j.Steps {
		step := &j.Steps[i]
		sp := stepPlan{
			call: p.call(step.Call), share: float64(step.Share), method: step.Method,
			path: p.slots.compile(step.Path), body: p.slots.compile(step.Body), bearer: p.slots.compile(step.Bearer),
		}
		if step.AtMost > 0 {
			sp.limit = newRateLimit(step.AtMost)
		}
		for _, c := range step.Checks {
			sp.checks = append(sp.checks, checkPlan{c, p.check(sp.call, c.Name())})
		}
		for name, path := range step.Keep {
			sp.keep = append(sp.keep, keepPlan{p.slots.of(name), path})
		}
		for _, text := range []string{step.Path, step.Body, step.Bearer} {
			for _, name := range placeholdersIn(text) {
				plan.usesAccount = plan.usesAccount || name == varToken || name == varUsername || name == varPassword
			}
		}
		plan.steps = append(plan.steps, sp)
	}
	return plan
}

// call returns the index of a call, which it makes if there is none.
func (p *plan) call(name string) int {
	i := slices.IndexFunc(p.calls, func(c callPlan) bool { return c.name == name })
	if i < 0 {
		p.calls = append(p.calls, callPlan{name: name})
		i = len(p.calls) - 1
	}
	return i
}

func (p *plan) check(call int, name string) int {
	c := &p.calls[call]
	i := slices.Index(c.checks, name)
	if i < 0 {
		c.checks = append(c.checks, name)
		i = len(c.checks) - 1
	}
	return i
}

// needsAccounts tells whether any journey shows an account.
func (p *plan) needsAccounts() bool {
	return p.bearer || slices.ContainsFunc(p.journeys, func(j journeyPlan) bool { return j.usesAccount })
}

// NeuronName is the name of the n-th neuron for load tests, from 0.
func NeuronName(n int) string { return neuronName(NeuronPrefix, n) }

func neuronName(prefix string, n int) string {
	return fmt.Sprintf("%s%05d", prefix, n+1)
}

// Name is how the report names a check.
func (c *Check) Name() string {
	switch {
	case c.Status != 0:
		return "status is " + strconv.Itoa(c.Status)
	case c.FasterThan != 0:
		return "answered within " + c.FasterThan.String()
	case c.AtLeast != nil:
		return fmt.Sprintf("%s is at least %g", c.JSON, *c.AtLeast)
	case c.Is != "":
		return c.JSON + " is " + article(c.Is)
	default:
		return c.JSON + " is there"
	}
}

func article(kind string) string {
	if kind == "array" || kind == "object" {
		return "an " + kind
	}
	return "a " + kind
}
