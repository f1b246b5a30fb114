package main

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/hal9-ai/hal9/auth"
	"github.com/hal9-ai/hal9/internal/cli"
)

// CompletionCmd writes a script for a shell. It is made from the commands as they are,
// and asks nothing of this program when the user presses Tab.
type CompletionCmd struct {
	Shell string `arg:"" name:"SHELL" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help describes the command.
func (CompletionCmd) Help() string {
	return `The script completes commands, flags, and the values of flags that take one of a few words.

Example:

    source <(hal9 completion bash)
    hal9 completion bash > /etc/bash_completion.d/hal9
    hal9 completion zsh > "${fpath[1]}/_hal9"
    hal9 completion fish > ~/.config/fish/completions/hal9.fish`
}

//go:embed completion/hal9.bash
var bashCompletion string

//go:embed completion/hal9.zsh
var zshCompletion string

//go:embed completion/hal9.fish
var fishCompletion string

// Run writes the script.
func (c *CompletionCmd) Run(g *Globals) error {
	root, err := newTree(newCLI())
	if err != nil {
		return err
	}
	frame, ok := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}[c.Shell]
	if !ok {
		return usageError(errors.New("SHELL must be bash, zsh or fish"), "hal9 completion")
	}
	paths, words, values := completions(root)
	return say(g.Stdout, strings.NewReplacer("@PATHS@\n", paths, "@WORDS@\n", words, "@VALUES@\n", values).Replace(frame))
}

// completions returns the branches of the shells' case statements, which bash, zsh and
// fish's own all take: the paths that are commands, what may follow each, and the
// values of flags.
func completions(root *cli.Command) (paths, words, values string) {
	var p, w, v strings.Builder
	seen := map[string]bool{}
	root.Each(func(c *cli.Command) {
		path := c.Path()
		var next []string
		for _, child := range c.Children {
			if !child.Hidden {
				next = append(next, child.Name)
				fmt.Fprintf(&p, "%s %s\n", path, child.Name)
			}
		}
		for _, arg := range c.Arguments {
			next = append(next, arg.Enum...)
		}
		next = append(next, "--help")
		for _, f := range c.Flags {
			if f.Hidden {
				continue
			}
			next = append(next, "--"+f.Name)
			if known := flagValues(f); len(known) > 0 && !seen[f.Name] {
				seen[f.Name] = true
				fmt.Fprintf(&v, "--%s %s\n", f.Name, strings.Join(known, " "))
			}
		}
		fmt.Fprintf(&w, "%s: %s\n", path, strings.Join(next, " "))
	})
	return p.String(), w.String(), v.String()
}

// flagValues are the words that a flag takes, none if it takes others too. A setting's
// stand in its placeholder, since package config checks them, not this one.
func flagValues(f *cli.Flag) []string {
	switch {
	case len(f.Enum) > 0:
		return f.Enum
	case strings.Contains(f.Placeholder, "|"):
		return strings.Split(f.Placeholder, "|")
	case f.Name == "scope":
		return auth.RoleScopes(auth.RoleAdmin).List()
	default:
		return nil
	}
}
