package hal9_test

import (
	"context"
	"slices"
	"testing"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// A listener hears each signal once and in order, though the service restarts meanwhile.
func TestTail(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := make(chan string)
	ended := make(chan error, 1)
	go func() {
		for event, err := range s.client().Tail(ctx, &api.SignalStreamParams{ToNeuron: new("tail")}) {
			if err != nil {
				ended <- err
				return
			}
			if event.Signal != nil {
				heard <- event.Signal.Content
			}
		}
	}()
	s.awaitMetric(`hal9_signal_stream_listeners 1`)
	// The place of another process is a time, and what came before it may come again.
	send := func(contents ...string) {
		t.Helper()
		for _, content := range contents {
			body := api.ContractSignal{Content: content, Layer: "L1", NeuronID: new("tail")}
			if _, err := s.client().SignalSendWithResponse(t.Context(), nil, body); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i < len(contents); {
			select {
			case content := <-heard:
				if content == contents[i] {
					i++
				} else if slices.Contains(contents, content) {
					t.Fatalf("heard %s before %s", content, contents[i])
				}
			case err := <-ended:
				t.Fatalf("heard %d of %v, then: %v", i, contents, err)
			}
		}
	}
	send("0", "1", "2")
	if err := s.stop(); err != nil {
		t.Errorf("the service's end: %v", err)
	}
	s.start()
	send("3", "4", "5")
	cancel()
	if err := <-ended; err == nil {
		t.Error("the end of the context is no error")
	}
}
