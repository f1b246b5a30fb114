// Licences lists what the programs and the client are built from, with the licence of
// each, and fails where one is not on the list of those that Apache-2.0 goes with.
//
//	go -C tools/licences run . --check                  # docs/licences.md is up to date
//	go -C tools/licences run . --write                  # writes it
//	go -C tools/licences run . --texts bin/NOTICES.txt  # all texts, to go with a binary
//
// It reads the modules from Go's module cache, and the network only where they are not
// there yet.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const page = "docs/licences.md"

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("licences", flag.ContinueOnError)
	root := flags.String("root", "../..", "the project's folder")
	check := flags.Bool("check", false, "fail if "+page+" is not what --write would write")
	write := flags.Bool("write", false, "write "+page)
	texts := flags.String("texts", "", "write the texts of all licences into this file, relative to the project's folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !*check && !*write && *texts == "" {
		return errors.New("give --check, --write or --texts FILE")
	}
	parts, err := find(*root)
	if err != nil {
		return err
	}
	if err := judge(parts); err != nil {
		return err
	}
	list, path := table(parts), filepath.Join(*root, page)
	if *check {
		was, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(was, list) {
			return errors.Join(errors.New(page+" is stale: run 'make licences'"), err)
		}
	}
	if *write {
		if err := os.WriteFile(path, list, 0o644); err != nil {
			return fmt.Errorf("write the list: %w", err)
		}
	}
	if *texts != "" {
		file := filepath.Join(*root, *texts)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, notices(parts), 0o644)); err != nil {
			return fmt.Errorf("write the texts: %w", err)
		}
	}
	return nil
}
