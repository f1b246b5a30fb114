package main

import (
	"fmt"

	"github.com/hal9-ai/hal9/internal/config"
)

// ConfigCmd groups the commands about the configuration.
type ConfigCmd struct {
	Print     ConfigPrintCmd     `cmd:"" help:"Show every setting, its value and where it came from."`
	Check     ConfigCheckCmd     `cmd:"" help:"Say whether the configuration is valid."`
	Reference ConfigReferenceCmd `cmd:"" help:"Write the configuration reference as Markdown."`
}

// ConfigPrintCmd shows the settings.
type ConfigPrintCmd struct {
	Output
	Settings
}

// Help describes the command.
func (*ConfigPrintCmd) Help() string {
	return `Flags win over environment variables, which win over the YAML file, which wins over the defaults. Passwords are masked.

Example:

    hal9 config print --config hal9.yaml --json`
}

// Run prints the configuration.
func (c *ConfigPrintCmd) Run(g *Globals) error {
	loaded, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if c.JSON {
		return loaded.PrintJSON(g.Stdout)
	}
	if err := loaded.Print(g.Stdout); err != nil {
		return err
	}
	return g.warn(loaded)
}

// ConfigCheckCmd checks the settings.
type ConfigCheckCmd struct {
	Output
	Settings
}

// Help describes the command.
func (*ConfigCheckCmd) Help() string {
	return `Checks every value, how the values agree, and the files that they name, such as certificates, without connecting to anything. Run it as the user that serves: what that one may not read is a fault. Exits with 0 if all is well and with 2 if not; each fault names the key, the place where the value stands and what to do.

Example:

    hal9 config check --config hal9.yaml`
}

// Run checks the configuration.
func (c *ConfigCheckCmd) Run(g *Globals) error {
	loaded, err := g.LoadConfig(c.Settings)
	if err != nil {
		return err
	}
	if err := g.warn(loaded); err != nil {
		return err
	}
	ofFiles, err := checkFiles(loaded)
	if err != nil {
		return err
	}
	if err := g.warnOf(ofFiles); err != nil {
		return err
	}
	warnings := append([]string{}, loaded.Warnings()...)
	warnings = append(warnings, ofFiles...)
	return c.line(g.Stdout, map[string]any{"valid": true, "warnings": warnings}, "The configuration is valid.")
}

// ConfigReferenceCmd writes the reference.
type ConfigReferenceCmd struct{}

// Help describes the command.
func (*ConfigReferenceCmd) Help() string {
	return `The reference lists every setting with its variable, flag, default and meaning.

Example:

    hal9 config reference > docs/configuration.md`
}

// Run writes the reference.
func (*ConfigReferenceCmd) Run(g *Globals) error {
	return config.Reference(g.Stdout)
}

// warn writes the warnings of a configuration to the standard error.
func (g *Globals) warn(c *config.Config) error { return g.warnOf(c.Warnings()) }

func (g *Globals) warnOf(warnings []string) error {
	for _, w := range warnings {
		if _, err := fmt.Fprintln(g.Stderr, "hal9: warning:", w); err != nil {
			return fmt.Errorf("write a warning: %w", err)
		}
	}
	return nil
}
