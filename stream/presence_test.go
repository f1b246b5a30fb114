package stream_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hal9-ai/hal9/internal/testenv"
	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store/postgres"
	"github.com/hal9-ai/hal9/stream"
)

// notices is how many notices went in a direction: sent, failed or received.
func (n *node) notices(direction string) int {
	n.t.Helper()
	var b strings.Builder
	n.set.WritePrometheus(&b)
	found := regexp.MustCompile(`notices_total\{direction="` + direction + `"\} (\d+)`).FindStringSubmatch(b.String())
	if found == nil {
		n.t.Fatalf("no notices are counted: %s", b.String())
	}
	count, _ := strconv.Atoi(found[1])
	return count
}

// presence makes servers say so often that they are there.
func presence(d time.Duration) func(*stream.Config) {
	return func(c *stream.Config) { c.Presence = d }
}

// What a server committed and never told, since it was killed in between, is told to those
// who listen to others.
func TestServerThatFellSilent(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	cut := newLame(postgres.NewChannel(url, "committed"))
	a := newNode(t, url, func(model.Store) stream.Bus { return cut }, presence(100*time.Millisecond))
	b := newNode(t, url, postgresBus(url), presence(100*time.Millisecond))
	l := b.listen(stream.Start{})
	a.submit(a.signal("one"))
	wantHeard(t, l, "one")
	told := b.notices("received")
	testenv.Eventually(t, "the server to say that it is there", func() bool { return b.notices("received") > told })
	cut.set(true)
	a.submit(a.signal("two"))
	wantHeard(t, l, "two")
}

// A server that ends tells its last signals, also if it had given up for a while, and is
// not looked for.
func TestServerThatEnds(t *testing.T) {
	t.Parallel()
	url := testenv.PostgresDatabase(t)
	cut := newLame(postgres.NewChannel(url, "committed"))
	a := newNode(t, url, func(model.Store) stream.Bus { return cut }, presence(time.Hour))
	b := newNode(t, url, postgresBus(url), presence(time.Hour))
	l := b.listen(stream.Start{})
	a.submit(a.signal("one"))
	wantHeard(t, l, "one")
	cut.set(true)
	a.submit(a.signal("two"))
	testenv.Eventually(t, "a to wait for a while", func() bool { return a.notices("failed") >= 5 })
	cut.set(false)
	a.stop()
	wantHeard(t, l, "two")
}
