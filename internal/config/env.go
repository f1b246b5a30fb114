package config

import (
	"regexp"
	"strings"
)

const envPrefix = "HAL9_"

// readEnv takes the variables of known keys and refuses other HAL9_ ones. An
// empty variable counts as not set: compose files pass those on for ${X:-}.
func readEnv(environ []string, table []Key) ([]entry, Errors) {
	var entries []entry
	var faults Errors
	seen := map[string]bool{}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, envPrefix) || name == FileEnv || seen[name] {
			continue // of several with one name the first counts, as for os.Getenv
		}
		seen[name] = true
		key := findEnv(table, name)
		switch {
		case key != nil && text != "":
			entries = append(entries, entry{key.Name, text, Source{SourceEnv, name}})
		case key == nil && !foreign(name, text):
			faults = append(faults, unknownEnv(name, table))
		}
	}
	return entries, faults
}

// foreign tells whether a variable was set by something else under our prefix:
// the tests, or Kubernetes, which describes each service of a namespace to every
// pod. A service named hal9 gives HAL9_SERVICE_HOST, HAL9_SERVICE_PORT_HTTP,
// HAL9_PORT=tcp://10.0.0.1:80 and HAL9_PORT_80_TCP_ADDR; one named hal9-web
// gives HAL9_WEB_SERVICE_HOST and so on. HAL9_PORT=80 is none of theirs.
func foreign(name, text string) bool {
	if strings.HasPrefix(name, "HAL9_TEST_") {
		return true
	}
	link := regexp.MustCompile(`^HAL9_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	return link.MatchString(name) || strings.HasSuffix(name, "_PORT") && strings.Contains(text, "://")
}

func findEnv(table []Key, name string) *Key {
	for i := range table {
		if table[i].Env == name {
			return &table[i]
		}
	}
	return nil
}

func unknownEnv(name string, table []Key) *Error {
	names := make([]string, 0, len(table)+1)
	for _, k := range table {
		names = append(names, k.Env)
	}
	names = append(names, FileEnv)
	guess := nearest(name, names)
	switch strings.TrimPrefix(name, envPrefix) {
	case "PORT", "HOST", "ADDRESS", "SERVER_PORT", "SERVER_HOST", "SERVER_ADDRESS":
		guess = findKey(table, "server.listen").Env
	}
	return &Error{
		Key: name, Source: Source{SourceEnv, name},
		Problem: "there is no such variable",
		Mend:    suggestion(guess),
	}
}

// lookupEnv returns the first value of a variable, or an empty string.
func lookupEnv(environ []string, name string) string {
	for _, line := range environ {
		if n, text, _ := strings.Cut(line, "="); n == name {
			return text
		}
	}
	return ""
}
