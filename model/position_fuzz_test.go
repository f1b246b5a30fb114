package model_test

import (
	"testing"

	"github.com/hal9-ai/hal9/model"
)

// A token that is taken is one that the service gives.
func FuzzPosition(f *testing.F) {
	f.Add(model.Position{Timeline: 1, LSN: 0x30b19a8}.Token())
	f.Add("pAAAAAQAAAAAADALmo")
	f.Add("pAAAAAQAAAAAADAL\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := model.ParsePosition(token)
		if err == nil && p.Token() != token {
			t.Errorf("%q is taken for %q", token, p.Token())
		}
	})
}
