package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hal9-ai/hal9/loadtest"
)

// LoadtestCmd groups the commands that put a server under load.
type LoadtestCmd struct {
	Run      LoadtestRunCmd      `cmd:"" default:"withargs" help:"Put a server under the load of virtual users."`
	Scenario LoadtestScenarioCmd `cmd:"" help:"Print a scenario that comes with the program."`
	Compare  LoadtestCompareCmd  `cmd:"" help:"Set reports beside each other."`
	Seed     LoadtestSeedCmd     `cmd:"" help:"Fill a database with accounts and neurons for load tests."`
}

// LoadtestRunCmd plays a scenario.
type LoadtestRunCmd struct {
	Scenario     string         `arg:"" default:"mix" name:"SCENARIO" optional:"" help:"mix, original, peak, wide, or a YAML file (mix)."`
	URL          string         `default:"http://127.0.0.1:8080" help:"The server's address (http://127.0.0.1:8080)." placeholder:"URL"`
	Users        int            `help:"Change the stages so that this many users are the most." placeholder:"N"`
	Duration     time.Duration  `help:"Change the stages so that they take this long together." placeholder:"DURATION"`
	WarmUp       *time.Duration `help:"What of the beginning counts for nothing." placeholder:"DURATION"`
	Think        *time.Duration `help:"What users wait between two journeys." placeholder:"DURATION"`
	MaxRequests  int64          `help:"End after this many requests." placeholder:"N"`
	LoginShare   string         `help:"The part of the journeys in which a user logs in anew, where the scenario has such a step." placeholder:"SHARE"`
	Threshold    []string       `help:"Hold the run to this bound as well, as in 'p99 < 200ms'; may be repeated." placeholder:"BOUND" sep:"none"`
	Accounts     string         `help:"Use the accounts in this file, which 'hal9 loadtest seed' writes." placeholder:"FILE"`
	AdminKeyFile string         `help:"Make the accounts with the admin's API key in this file, where strangers may not register." placeholder:"FILE"`
	AllowRemote  bool           `help:"Let the server be on another machine."`
	HTML         string         `help:"Write a page with plots." name:"html" placeholder:"FILE"`
	Note         string         `help:"What the report should say of the machine, and of what else runs on it." placeholder:"TEXT"`
	Output
}

// Help describes the command.
func (*LoadtestRunCmd) Help() string {
	return `Virtual users with connections of their own go through journeys of calls, whose answers are checked. Scenarios: mix is what HAL9's users do, with a second to think; peak is the same without time to think; wide is peak over 10,000 neurons and 100,000 accounts; original is the k6 script word for word, at the number of users whose passwords the server can hash. 'hal9 loadtest scenario mix' prints one to change; docs/loadtest.md describes the file.

Users register accounts before the run and share their tokens. Latencies are corrected for coordinated omission. Progress goes to the standard error. The first Ctrl+C ends the run early, with a report.

Exits with 0 if all thresholds were kept, 1 if one was broken or the run ended early, 2 if the scenario is wrong, and 3 if the server does not answer.

Example:

    hal9 loadtest run peak --users 200 --duration 15s
    hal9 loadtest run my.yaml --html report.html --json > report.json
    hal9 loadtest run mix --threshold 'p99[POST signal] < 100ms'`
}

// Run plays the scenario.
func (c *LoadtestRunCmd) Run(g *Globals) error {
	scenario, err := c.scenario()
	if err != nil {
		return usageError(err, "hal9 loadtest run")
	}
	opts := loadtest.Options{Target: c.URL, AllowRemote: c.AllowRemote, Machine: loadtest.Machine()}
	if c.Note != "" {
		opts.Machine += "; " + c.Note
	}
	if err := c.readFiles(&opts); err != nil {
		return usageError(err, "hal9 loadtest run")
	}
	// Before the run: a page that cannot be written should not be noticed after it.
	page, err := c.page()
	if err != nil {
		return err
	}
	show := showLoad(g.Stderr)
	opts.Progress = show.update
	report, err := loadtest.Run(g.Context, scenario, opts)
	show.stop()
	if report == nil {
		return errors.Join(loadError(err), page.discard())
	}
	return errors.Join(loadError(err), c.show(g, report, page), verdict(report, err))
}

// scenario reads the scenario and changes it as the flags say.
func (c *LoadtestRunCmd) scenario() (*loadtest.Scenario, error) {
	var text []byte
	var err error
	if ext := filepath.Ext(c.Scenario); ext == ".yaml" || ext == ".yml" {
		text, err = os.ReadFile(c.Scenario)
	} else {
		text, err = loadtest.Builtin(c.Scenario)
	}
	if err != nil {
		return nil, err
	}
	s, err := loadtest.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Scenario, err)
	}
	return s, c.change(s)
}

func (c *LoadtestRunCmd) change(s *loadtest.Scenario) error {
	if c.Users < 0 || c.Duration < 0 || c.MaxRequests < 0 {
		return errors.New("--users, --duration and --max-requests must be above 0")
	}
	if c.Users > 0 {
		s.ScaleUsers(c.Users)
	}
	if c.Duration > 0 {
		s.ScaleTime(c.Duration)
	}
	if c.WarmUp != nil {
		s.WarmUp = loadtest.Duration(*c.WarmUp)
	}
	if c.Think != nil {
		s.ThinkTime = loadtest.Think{Min: *c.Think, Max: *c.Think}
	}
	if c.MaxRequests > 0 {
		s.MaxRequests = c.MaxRequests
	}
	if c.LoginShare != "" {
		if err := s.SetLoginShare(c.LoginShare); err != nil {
			return fmt.Errorf("--login-share: %w", err)
		}
	}
	for _, text := range c.Threshold {
		t, err := loadtest.ParseThreshold(text)
		if err != nil {
			return fmt.Errorf("--threshold: %w", err)
		}
		s.Thresholds = append(s.Thresholds, t)
	}
	return s.Validate()
}

func (c *LoadtestRunCmd) readFiles(opts *loadtest.Options) error {
	if c.AdminKeyFile != "" {
		key, err := os.ReadFile(c.AdminKeyFile)
		if err != nil {
			return err //nolint:wrapcheck // it names the file
		}
		opts.AdminKey = strings.TrimSpace(string(key))
	}
	if c.Accounts == "" {
		return nil
	}
	f, err := os.Open(c.Accounts)
	if err != nil {
		return err //nolint:wrapcheck // it names the file
	}
	opts.Accounts, err = loadtest.ReadAccounts(f)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Accounts, err)
	}
	return errors.Join(err, f.Close())
}

// show writes the report.
func (c *LoadtestRunCmd) show(g *Globals, report *loadtest.Report, page *reportPage) error {
	return errors.Join(page.write(report), c.print(g.Stdout, report, report.Text))
}

// reportPage is the file of the page with plots; a nil one is none.
type reportPage struct{ file *os.File }

func (c *LoadtestRunCmd) page() (*reportPage, error) {
	if c.HTML == "" {
		return nil, nil //nolint:nilnil // a nil page is none
	}
	f, err := os.Create(c.HTML)
	if err != nil {
		return nil, usageError(fmt.Errorf("--html: %w", err), "hal9 loadtest run")
	}
	return &reportPage{f}, nil
}

func (p *reportPage) write(report *loadtest.Report) error {
	if p == nil {
		return nil
	}
	return errors.Join(report.HTML(p.file), p.file.Close())
}

// discard removes the empty file.
func (p *reportPage) discard() error {
	if p == nil {
		return nil
	}
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}

// loadError gives an error of a load test its exit code.
func loadError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, loadtest.ErrUnreachable):
		return &ExitError{Code: exitUnreachable, Err: err, Hint: "Is it running? 'hal9 serve' serves on http://127.0.0.1:8080; --url names another address."}
	case errors.Is(err, loadtest.ErrRemote):
		return &ExitError{Code: exitUsage, Err: err, Hint: "--allow-remote permits it."}
	case errors.Is(err, loadtest.ErrTooManyUsers):
		return &ExitError{Code: exitUsage, Err: err}
	default:
		return err
	}
}

// verdict is the failure of a run whose thresholds were broken.
func verdict(report *loadtest.Report, err error) error {
	if err != nil || report.Passed {
		return nil //nolint:nilerr // loadError tells it
	}
	broken := 0
	for _, j := range report.Thresholds {
		if !j.Kept {
			broken++
		}
	}
	return fmt.Errorf("%d of %d thresholds were broken", broken, len(report.Thresholds))
}

// LoadtestScenarioCmd prints a built-in scenario.
type LoadtestScenarioCmd struct {
	Name string `arg:"" default:"mix" name:"NAME" optional:"" help:"mix, original, peak or wide (mix)."`
}

// Help describes the command.
func (LoadtestScenarioCmd) Help() string {
	return `Prints YAML to change and to give to 'hal9 loadtest run'.

Example:

    hal9 loadtest scenario mix > my.yaml`
}

// Run prints the scenario.
func (c *LoadtestScenarioCmd) Run(g *Globals) error {
	text, err := loadtest.Builtin(c.Name)
	if err != nil {
		return usageError(err, "hal9 loadtest scenario")
	}
	return say(g.Stdout, string(text))
}

// loadProgress shows how far a load test is.
type loadProgress interface {
	update(p loadtest.Progress)
	stop()
}

func showLoad(w io.Writer) loadProgress {
	if isTerminal(w) {
		return &loadBar{w: w}
	}
	return &loadLines{w: w}
}
