package stream

import (
	"strings"
	"testing"
)

// A server knows its own notices by how they begin.
func TestNoticeHead(t *testing.T) {
	t.Parallel()
	own, other := newName(), newName()
	for _, n := range []notice{{Origin: own}, {Origin: own, Since: 1, Until: 2, IDs: make([]byte, 16)}} {
		if !strings.HasPrefix(n.encode(), noticeHead(own)) || strings.HasPrefix(n.encode(), noticeHead(other)) {
			t.Errorf("%s does not begin with %s", n.encode(), noticeHead(own))
		}
	}
}
