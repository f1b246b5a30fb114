package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// RegisterSecret adds a route that creates something and answers with a secret, as
// those of accounts do; produce is asked for it.
func (s *Server) RegisterSecret(path string, produce func() (string, error)) {
	register(s, operation{
		id: "SecretCreate", method: http.MethodPost, path: path, tag: tagStatus, access: public(),
		status: http.StatusCreated, created: true, responses: map[string]*huma.Response{},
	}, func(context.Context, *struct{ Body map[string]string }) (*answer[string], error) {
		secret, err := produce()
		if err != nil {
			return nil, err
		}
		return created(secret, path+"/1"), nil
	})
}

// WaitForNewcomers lets a shutdown wait as long for the first request of a connection that
// was made while it drained.
func (s *Server) WaitForNewcomers(d time.Duration) { s.newcomerTimeout = d }

// BoundPages sets how many bytes of text an answer has at the most, which is 8 MiB.
func (s *Server) BoundPages(bytes int) { s.pageBytes = bytes }
