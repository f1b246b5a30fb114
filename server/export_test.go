package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// RegisterSecret adds a route that creates something and answers with a secret, as
// those of accounts do; make is asked for it.
func (s *Server) RegisterSecret(path string, make func() (string, error)) {
	register(s, operation{
		id: "SecretCreate", method: http.MethodPost, path: path, tag: tagStatus,
		status: http.StatusCreated, created: true, responses: map[string]*huma.Response{},
	}, func(context.Context, *struct{ Body map[string]string }) (*answer[string], error) {
		secret, err := make()
		if err != nil {
			return nil, err
		}
		return created(secret, path+"/1"), nil
	})
}
