package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func newReader(text []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(text)) }

// checkCompose loads a file as Docker Compose does, with its required variables set,
// and looks whether the files that it mounts exist.
func checkCompose(ctx context.Context, file string) (services int, err error) {
	options, err := cli.NewProjectOptions([]string{file},
		cli.WithEnv([]string{"POSTGRES_PASSWORD=a", "HAL9_SERVER_PASSWORD=b"}))
	if err != nil {
		return 0, err
	}
	project, err := options.LoadProject(ctx)
	if err != nil {
		return 0, err
	}
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != "bind" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				return 0, err
			}
		}
		if service.Build != nil {
			if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
				return 0, err
			}
		}
	}
	return len(project.Services), nil
}

// checkDockerfile parses the file with Docker's own parser and its linter's rules.
func checkDockerfile(file string) (stages int, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	tree, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	var faults error
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		faults = errors.Join(faults, errors.New(rule+": "+message))
	}})
	all, _, err := instructions.Parse(tree.AST, lint)
	return len(all), errors.Join(err, faults)
}
