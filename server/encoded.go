package server

import (
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/hal9-ai/hal9/model"
)

// encodedMaxBytes bounds the answers that are kept encoded.
const encodedMaxBytes = 32 << 20

// encodedAnswers keeps the JSON of answers that many ask for, so that a page of neurons
// is put together and encoded once and not for each request. It says nothing about
// what is right: an entry is used only with what it was made of, which the store hands
// out anew for each request. What is not asked for is pushed out by size.
type encodedAnswers struct {
	pages   *otter.Cache[string, *encodedPage]
	neurons *otter.Cache[string, *encodedNeuron]
}

// encodedPage is what was made of a page of neurons and their traffic. Holding the very
// slices, which nobody changes, makes their addresses tell: as long as the store hands
// out the same ones, what was made of them holds, but for what time alone changes.
type encodedPage struct {
	rows  []model.Neuron
	heard [][]model.NeuronActivity
	until time.Time // the last moment at which it holds; zero for no end
	body  []byte
}

// encodedNeuron is the answer with one version of a neuron, which tells all of it but
// its health.
type encodedNeuron struct {
	version int64
	healthy bool
	body    []byte
}

func newEncodedAnswers() (encodedAnswers, error) {
	const overhead, row = 256, 256
	pages, err := otter.New(&otter.Options[string, *encodedPage]{
		MaximumWeight: encodedMaxBytes / 2,
		Weigher: func(key string, p *encodedPage) uint32 {
			size := overhead + len(key) + len(p.body) + row*len(p.rows)
			for i := range p.rows { // they are kept alive, with all their text
				size += neuronBytes(&p.rows[i])
			}
			return uint32(min(size, encodedMaxBytes))
		},
	})
	if err != nil {
		return encodedAnswers{}, fmt.Errorf("keep encoded answers: %w", err)
	}
	neurons, err := otter.New(&otter.Options[string, *encodedNeuron]{
		MaximumWeight: encodedMaxBytes / 2,
		Weigher: func(key string, n *encodedNeuron) uint32 {
			return uint32(min(overhead+len(key)+len(n.body), encodedMaxBytes))
		},
	})
	if err != nil {
		return encodedAnswers{}, fmt.Errorf("keep encoded answers: %w", err)
	}
	return encodedAnswers{pages, neurons}, nil
}

// page returns what encode makes of a page of neurons, or made of the same slices before.
func (e *encodedAnswers) page(key string, now time.Time, rows []model.Neuron, heard [][]model.NeuronActivity, encode func() (body []byte, until time.Time, err error)) ([]byte, error) {
	if p, ok := e.pages.GetIfPresent(key); ok && p.madeOf(rows, heard) && (p.until.IsZero() || !now.After(p.until)) {
		return p.body, nil
	}
	body, until, err := encode()
	if err != nil {
		return nil, err
	}
	e.pages.Set(key, &encodedPage{rows, heard, until, body})
	return body, nil
}

// neuron is page for the answer with one neuron.
func (e *encodedAnswers) neuron(id string, version int64, healthy bool, encode func() ([]byte, error)) ([]byte, error) {
	if n, ok := e.neurons.GetIfPresent(id); ok && n.version == version && n.healthy == healthy {
		return n.body, nil
	}
	body, err := encode()
	if err != nil {
		return nil, err
	}
	e.neurons.Set(id, &encodedNeuron{version, healthy, body})
	return body, nil
}

func (p *encodedPage) madeOf(rows []model.Neuron, heard [][]model.NeuronActivity) bool {
	if !same(p.rows, rows) || len(p.heard) != len(heard) {
		return false
	}
	for i := range heard {
		if !same(p.heard[i], heard[i]) {
			return false
		}
	}
	return true
}

// same tells whether two slices are one.
func same[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
