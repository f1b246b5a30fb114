package hal9_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

type faultServer struct{ *httptest.Server }

// between starts a proxy before the service.
func between(t *testing.T, s *service, spoil func(w http.ResponseWriter, r *http.Request, nth int) (answered, lose bool)) *faults {
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{seen: map[string]int{}, spoil: spoil}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Header.Del("X-Forwarded-For")
	}}
	f.faultServer = &faultServer{httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered, lose := f.spoil(w, r, f.nth(r))
		switch {
		case answered:
		case lose:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			proxy.ServeHTTP(w, r)
		}
	}))}
	t.Cleanup(f.Close)
	return f
}
