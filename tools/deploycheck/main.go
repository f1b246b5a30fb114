// Command deploycheck checks the files of deploy/ by the schemas of those who will read
// them: Kubernetes' own types, strictly; Compose's specification; Docker's parser. It is
// a module of its own because the service needs none of these.
//
//	go run . ../../deploy
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] == "-h" || os.Args[1] == "--help" {
		fmt.Fprintln(os.Stderr, "Usage: deploycheck DIR\n\nCheck the files of deploy/.\n\nExample:\n\n    go run . ../../deploy")
		os.Exit(2)
	}
	if err := check(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check tells all that is wrong.
func check(ctx context.Context, dir string) error {
	manifests, err := filepath.Glob(filepath.Join(dir, "kubernetes", "*.yaml"))
	if err != nil || len(manifests) == 0 {
		return errors.Join(err, errors.New("there are no manifests"))
	}
	var all error
	for _, file := range manifests {
		n, err := checkManifest(file)
		all = errors.Join(all, told(file, fmt.Sprintf("%d objects", n), err))
	}
	compose := filepath.Join(dir, "compose.yaml")
	n, err := checkCompose(ctx, compose)
	all = errors.Join(all, told(compose, fmt.Sprintf("%d services", n), err))
	dockerfile := filepath.Join(dir, "Dockerfile")
	n, err = checkDockerfile(dockerfile)
	return errors.Join(all, told(dockerfile, fmt.Sprintf("%d stages", n), err))
}

func told(file, found string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	fmt.Printf("%-45s %s\n", file, found)
	return nil
}
