package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/term"
)

// Installer brings missing servers onto the machine with apt-get.
type Installer struct {
	// Root says that apt-get may be run at once.
	Root bool
	// Terminal says that there is someone to ask.
	Terminal bool
	// In is where the answer comes from.
	In io.Reader
	// Out is where the question and apt-get's output go.
	Out io.Writer
}

// NewInstaller returns the installer that fits this process.
func NewInstaller(in *os.File, out io.Writer) *Installer {
	return &Installer{
		Root:     os.Geteuid() == 0,
		Terminal: term.IsTerminal(int(in.Fd())),
		In:       in,
		Out:      out,
	}
}

// Ensure installs what is missing: as root at once, on a terminal after showing
// the command and asking. Otherwise it fails and tells the command.
func (i *Installer) Ensure(ctx context.Context, missing ...*MissingError) error {
	if len(missing) == 0 {
		return nil
	}
	faults := make([]string, len(missing))
	for n, m := range missing {
		faults[n] = m.Error()
	}
	fault := strings.Join(faults, "; ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%s: install it with this system's package manager", fault)
	}

	if i.Root {
		return i.install(ctx, missing, nil)
	}
	command := aptCommand(choosePackages(ctx, missing))
	if i.Terminal {
		fmt.Fprintf(i.Out, "%s.\nInstall it with this command?\n\n    %s\n\n[y/N] ", fault, command)
		answer, err := bufio.NewReader(i.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the answer: %w", err)
		}
		if slices.Contains([]string{"y", "yes"}, strings.ToLower(strings.TrimSpace(answer))) {
			return i.install(ctx, missing, []string{"sudo"})
		}
	}
	return fmt.Errorf("%s: install it with\n\n    %s", fault, command)
}

// install runs apt-get, behind the prefix.
func (i *Installer) install(ctx context.Context, missing []*MissingError, prefix []string) error {
	if err := i.run(ctx, slices.Concat(prefix, []string{"apt-get", "update"})); err != nil {
		// The package lists at hand may do.
		fmt.Fprintln(i.Out, "testenv:", err)
	}
	// Only now is it known which packages there are.
	packages := choosePackages(ctx, missing)
	if err := i.run(ctx, slices.Concat(prefix, aptInstall(packages))); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " and "), err)
	}
	return nil
}

func (i *Installer) run(ctx context.Context, command []string) error {
	fmt.Fprintln(i.Out, "testenv: running", strings.Join(command, " "))
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the commands above
	cmd.Stdin, cmd.Stdout, cmd.Stderr = i.In, i.Out, i.Out
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", strings.Join(command, " "), err)
	}
	return nil
}

func aptInstall(packages []string) []string {
	return append([]string{"apt-get", "install", "-y", "--no-install-recommends"}, packages...)
}

// aptCommand is the command as a person would type it.
func aptCommand(packages []string) string {
	return "sudo apt-get update && sudo " + strings.Join(aptInstall(packages), " ")
}

// choosePackages picks the first package that apt knows for each missing
// program, or the last one if it knows none.
func choosePackages(ctx context.Context, missing []*MissingError) []string {
	packages := make([]string, 0, len(missing))
	for _, m := range missing {
		chosen := m.Packages[len(m.Packages)-1]
		for _, name := range m.Packages {
			//nolint:gosec // the names are this package's own
			if exec.CommandContext(ctx, "apt-cache", "show", name).Run() == nil {
				chosen = name
				break
			}
		}
		packages = append(packages, chosen)
	}
	return packages
}
