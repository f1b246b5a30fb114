package testenv_test

import (
	"testing"

	"github.com/hal9-ai/hal9/internal/testenv"
)

func TestEventually(t *testing.T) {
	t.Parallel()
	looks := 0
	testenv.Eventually(t, "the third look", func() bool { looks++; return looks == 3 })
	if looks != 3 {
		t.Errorf("looked %d times", looks)
	}
}
