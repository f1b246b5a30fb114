package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rivo/uniseg"
	"golang.org/x/sys/unix"

	"github.com/hal9-ai/hal9/model"
	"github.com/hal9-ai/hal9/store"
)

// onTerminal runs a command line whose standard output is a terminal of that width.
func onTerminal(t *testing.T, environ []string, width uint16, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		text, _ := io.ReadAll(master) // ends with EIO when the terminal is closed
		shown <- string(text)
	}()
	var stderr bytes.Buffer
	code := Run(t.Context(), args, strings.NewReader(""), terminal, &stderr, environ)
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	text := <-shown
	if err := master.Close(); err != nil {
		t.Fatal(err)
	}
	if code != exitOK {
		t.Fatalf("%v exits with %d: %s", args, code, stderr.String())
	}
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// Tables fit the terminal, stand in columns whatever the script of a name, and hold
// nothing that steers the terminal.
func TestTablesOnATerminal(t *testing.T) {
	t.Parallel()
	url := "sqlite://" + filepath.Join(t.TempDir(), "hal9.db")
	environ := []string{"HAL9_DATABASE_URL=" + url}
	typed(t, environ, password, "user", "create", "日本語", "--password-stdin").want(t, exitOK, "made", "")
	typed(t, environ, password, "user", "create", "ann", "--password-stdin").want(t, exitOK, "made", "")
	hal9(t, environ, "apikey", "create", "--user", "ann", "--name", "nightly import", "--scope", "ViewNeuron", "--scope", "SendSignal").want(t, exitOK, "hal9_key_", "")
	st, err := store.Open(t.Context(), store.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	_, err = st.UserImport(t.Context(), model.UserImportParams{
		ID: uuid.New(), Username: "evil\x1b[2J\tx\ny", PasswordHash: "!", Role: "user", IsActive: true, CreatedAt: now, UpdatedAt: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}

	wide := strings.Split(strings.TrimSuffix(onTerminal(t, environ, 200, "user", "list"), "\n"), "\n")
	if len(wide) != 4 {
		t.Fatalf("%d lines: %q", len(wide), wide)
	}
	for _, line := range wide[1:] {
		before, _, found := strings.Cut(line, "  user  ")
		head, _, _ := strings.Cut(wide[0], "  ROLE  ")
		if !found || uniseg.StringWidth(before) != uniseg.StringWidth(head) || strings.ContainsAny(line, "\x1b\t") {
			t.Errorf("%q below %q", line, wide[0])
		}
	}
	for _, command := range [][]string{{"user", "list"}, {"apikey", "list", "--user", "ann"}, {"user", "show", "ann"}} {
		text := onTerminal(t, environ, 70, command...)
		for line := range strings.Lines(text) {
			if uniseg.StringWidth(strings.TrimSuffix(line, "\n")) > 70 {
				t.Errorf("%v wraps:\n%s", command, text)
			}
		}
	}
	if text := onTerminal(t, environ, 70, "apikey", "list", "--user", "ann"); !strings.Contains(text, "\nname       nightly import\n") {
		t.Errorf("%s", text)
	}
}
