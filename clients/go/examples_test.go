//go:build unix

package hal9_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/clients/go/api"
)

// The programs in examples/ do what they say.
func TestExamples(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs(filepath.Join("..", "..", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin+string(filepath.Separator), "./...")
	build.Dir = filepath.Join(root, "go")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build examples/go: %v\n%s", err, out)
	}
	rows := filepath.Join(t.TempDir(), "rows.ndjson")
	if err := os.WriteFile(rows, append(lines(50), "{}\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]func(name string, args ...string) []string{
		"go": func(name string, args ...string) []string { return append([]string{filepath.Join(bin, name)}, args...) },
		"curl": func(name string, args ...string) []string {
			return append([]string{"sh", filepath.Join(root, "curl", name+".sh")}, args...)
		},
	}
	if os.Getenv("HAL9_TEST_TYPESCRIPT") != "" {
		kinds["typescript"] = func(name string, args ...string) []string {
			return append([]string{"node", filepath.Join(root, "typescript", "dist", name+".js")}, args...)
		}
	}
	for kind, command := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			run := func(name string, args ...string) *exec.Cmd {
				words := command(name, args...)
				cmd := exec.CommandContext(t.Context(), words[0], words[1:]...)
				cmd.Env, cmd.Stderr = append(environment(), "HAL9="+s.url), os.Stderr
				return cmd
			}
			says := func(cmd *exec.Cmd, wants ...string) {
				t.Helper()
				out, err := cmd.Output()
				for _, want := range wants {
					if err != nil || !regexp.MustCompile(want).Match(out) {
						t.Errorf("%v: %v, no %s in\n%s", cmd.Args, err, want, out)
					}
				}
			}
			says(run("send-signals"), `[0-9a-f]{8}-[0-9a-f]{4}-7`, `stored"?:? ?2|"inserted":2`)
			if n := s.count("neuron-l4") + s.count("neuron-l3") + s.count("neuron-l2"); n != 3 {
				t.Errorf("%d signals are stored, want 3", n)
			}
			says(run("search-memories"), `The antenna fails within 72 hours\.`)
			says(run("bulk-load", rows), `50`, `51`)
			if n := s.count("bulk"); n != 50 {
				t.Errorf("%d signals of the file are stored, want 50", n)
			}
			testTail(t, s, run("tail-signals"))
		})
	}
}

// testTail waits until the example listens, sends, and reads one line of it.
func testTail(t *testing.T, s *service, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = ownGroup()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		endGroup(cmd)
		_ = cmd.Wait()
	}()
	s.awaitMetric(`hal9_signal_stream_listeners 1`)
	if _, err := s.client().SignalSendWithResponse(context.Background(), nil, api.ContractSignal{Content: "heard", Layer: "L4"}); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "heard") {
			return
		}
	}
	t.Errorf("%v ended without a word of the signal", cmd.Args)
}
