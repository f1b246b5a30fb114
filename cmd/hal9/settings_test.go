package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hal9-ai/hal9/internal/config"
)

// Each key of the configuration can be given to `hal9 serve` on the command line: by a flag
// of its own, but for those of the cache's entities, and by --set. `config print` shows that
// all arrive.
func TestEveryKeyHasAFlag(t *testing.T) {
	t.Parallel()
	flags := map[string]bool{}
	for _, n := range leaves(t) {
		if n.Path() == "hal9 serve" {
			for _, f := range n.Flags {
				flags[f.Name] = true
			}
		}
	}
	if !flags["set"] {
		t.Error("serve has no --set")
	}
	alone, keys := 0, config.Keys()
	for _, k := range keys {
		if k.Flag == "" {
			if !strings.HasPrefix(k.Name, "cache.entities.") {
				t.Errorf("%s has no flag", k.Name)
			}
			alone++
		} else if !flags[k.Flag] {
			t.Errorf("serve has no --%s for %s", k.Flag, k.Name)
		}
	}
	if alone == 0 || alone == len(keys) {
		t.Errorf("%d of %d keys have no flag", alone, len(keys))
	}
	// All at once, each with its default: where it comes from shows that it arrived.
	var byFlag, bySet []string
	for _, k := range keys {
		bySet = append(bySet, "--set", k.Name+"="+k.Default)
		if k.Flag != "" {
			byFlag = append(byFlag, "--"+k.Flag+"="+k.Default)
		}
	}
	for way, args := range map[string][]string{"flags": byFlag, "--set": bySet} {
		got := hal9(t, nil, append([]string{"config", "print", "--json"}, args...)...)
		got.want(t, exitOK, "", "")
		var shown struct {
			Settings []struct{ Key, Source string }
		}
		if err := json.Unmarshal([]byte(got.out), &shown); err != nil {
			t.Fatalf("%v\n%s", err, got.out)
		}
		if len(shown.Settings) < len(keys) {
			t.Errorf("%d of %d keys are shown", len(shown.Settings), len(keys))
		}
		arrived := 0
		for _, s := range shown.Settings {
			if s.Source == string(config.SourceFlag) {
				arrived++
			}
		}
		if want := map[string]int{"flags": len(keys) - alone, "--set": len(keys)}[way]; arrived != want {
			t.Errorf("by %s %d keys arrived, want %d", way, arrived, want)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	hal9(t, nil, "config", "print", "--set", "cache.entities.signal.ttl=5s", "--set", "log.level=debug").want(t, exitOK, "cache.entities.signal.ttl", "")
	hal9(t, nil, "config", "print", "--set", "log.level=debug", "--log-level", "info").want(t, exitUsage, "", "log.level (--set): it is given twice")
	hal9(t, nil, "config", "print", "--set", "log.levle=debug").want(t, exitUsage, "", "log.level")
	hal9(t, nil, "config", "print", "--set", "log.level=loud").want(t, exitUsage, "", "log.level (--set): ")
	hal9(t, nil, "config", "print", "--log-level=loud").want(t, exitUsage, "", "log.level (--log-level): ")
	for _, none := range []string{"log.level", "postgres://u:" + testSecret + "@h/d", "database.url:postgres://u:" + testSecret + "@h/d?a=b", "=x", ""} {
		got := hal9(t, nil, "config", "print", "--set="+none)
		got.want(t, exitUsage, "", "--set KEY=VALUE")
		if strings.Contains(got.out+got.errors, testSecret) {
			t.Errorf("%s: the password is shown:\n%s", none, got.errors)
		}
	}
}

const testSecret = "HuSh-HuSh"
