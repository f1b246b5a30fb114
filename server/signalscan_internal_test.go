package server

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

// The scanner accepts no body that the decoder refuses, and makes the same signal of it.
func FuzzSignalScan(f *testing.F) {
	plain := []string{
		`{"content":"x","layer":"L4"}`, ` { "layer" : "l3" , "content" : "é\ud83d\ude80\n\"" , "neuron_id":"n" } `,
		`{"content":"` + strings.Repeat("é", 3000) + `","layer":"execution","neuron_id":"` + strings.Repeat("n", maxName) + `"}`,
	}
	for _, body := range append([]string{
		`{"content":"x","layer":"L4","neuron_id":null}`, `{"content":"x","layer":"L4","neuron_id":""}`, `{"content":"","layer":"L4"}`, `{"layer":"L4"}`, `{"content":"x"}`,
		`{"content":"x","content":"y","layer":"L4"}`, `{"content":"x","layer":"L4","more":1}`, `{"Content":"x","layer":"L4"}`, `{"content":"x","layer":"L4"}x`, `{"content":"x","layer":"L4",}`,
		`{"content":"\u0000","layer":"L4"}`, "{\"content\":\"\xff\",\"layer\":\"L4\"}", `{"content":"\ud800","layer":"L4"}`, `{"content":"x" "layer":"L4"}`, `{"c\u006fntent":"x","layer":"L4"}`,
		`{"content":5,"layer":"L4"}`, `{}`, `[]`, `null`, ``, `{"content":"x","layer":"` + strings.Repeat("n", maxName+1) + `"}`, `{"content":"x","layer":"` + strings.Repeat("é", maxName) + `"}`,
	}, plain...) {
		f.Add([]byte(body))
	}
	for _, body := range plain {
		var in contractSignal
		if !scanSignal([]byte(body), &in) {
			f.Errorf("not scanned: %.200s", body)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got, want contractSignal
		if !scanSignal(body, &got) {
			return
		}
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Body = newMemoryBody(bytes.Clone(body))
		if !decodePlain(r, &want) || !want.plain() || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: scanned %+v, decoded %+v", body, got, want)
		}
	})
}
