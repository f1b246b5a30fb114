package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hal9-ai/hal9/internal/config"
)

// Exit codes of every command. docs/configuration.md lists them.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2 // wrong usage or configuration
	exitUnreachable = 3 // a database, cache or server does not answer
	exitPending     = 4 // migrations are pending
)

// ExitError is an error that asks for an exit code other than 1.
type ExitError struct {
	Code int
	Err  error
	// Hint is a line shown below the error.
	Hint string
}

// Error implements error.
func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// usageError is for a command line that means nothing. Its text may repeat an argument, so
// credentials are masked.
func usageError(err error, command string) error {
	text := config.MaskText(err.Error())
	hint := fmt.Sprintf("Run '%s --help' for usage.", command)
	flag, found := strings.CutPrefix(text, "unknown flag --")
	if flag, _, _ = strings.Cut(flag, ","); found && isSetting(flag) {
		hint = "Settings go behind the command that uses them, as in: hal9 config print --" + flag + "=…"
	}
	return &ExitError{Code: exitUsage, Err: errors.New(text), Hint: hint}
}

// isSetting tells whether a flag belongs to the configuration.
func isSetting(flag string) bool {
	return flag == "config" || slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return k.Flag == flag })
}

// report writes an error, if there is one, and returns the exit code for it.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code, hint := exitFailure, ""
	var exit *ExitError
	var faults config.Errors
	var fault *config.Error
	switch {
	case errors.As(err, &exit):
		code, hint = exit.Code, exit.Hint
	case errors.As(err, &faults), errors.As(err, &fault):
		code = exitUsage
	}
	if len(faults) > 1 {
		_, _ = fmt.Fprintf(stderr, "hal9: the configuration has %d faults:\n%v\n", len(faults), err)
	} else {
		_, _ = fmt.Fprintf(stderr, "hal9: %v\n", err)
	}
	if hint != "" {
		_, _ = fmt.Fprintln(stderr, hint)
	}
	return code
}
