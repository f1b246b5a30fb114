package store_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// planMonths is how many months of signals the plans are asked for.
const planMonths = 14

// planSpan is the first moment of those months, and the one after them.
func planSpan() (first, end time.Time) {
	first = time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	return first, first.AddDate(0, planMonths, 0)
}

// keysetPages are the queries that read a page from an ordered index: none of them
// may sort more than the rows of one moment.
func keysetPages() []string {
	return []string{
		"AuditList", "MemoryList", "MemoryListByNeuron", "MetricList", "NeuronActivityList",
		"NeuronList", "SignalList", "SignalListAfter", "UserList",
	}
}

// reads are the queries that must not read the whole of a great table.
func reads(queries map[string]query) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		if name == "UserGetFirstByRole" {
			continue // the command line asks it, to make a key; no index is worth its price
		}
		if strings.Contains(name, "Get") || strings.Contains(name, "List") || strings.Contains(name, "Find") || strings.Contains(name, "Search") {
			names = append(names, name)
		}
	}
	return names
}

// explained are the reads, and the writes that look for their rows.
func explained(queries map[string]query) []string {
	names := reads(queries)
	for _, name := range slices.Sorted(maps.Keys(queries)) {
		if strings.Contains(name, "Delete") || strings.Contains(name, "Recount") {
			names = append(names, name)
		}
	}
	return names
}

// planArgument is a plausible value for a parameter, false for NULL: filters that may
// be left out are.
func planArgument(query, name string) (value string, ok bool) {
	switch name {
	case "Layer", "EntryType", "State", "IfVersion", "Action", "ResourceType", "ResourceID":
		return "", false
	case "NeuronID":
		return "n7", query != "MemorySearch"
	case "WantedReferences":
		return "{" + planID + "}", true
	case "Ids":
		if query == "SignalListByKeys" {
			return "{" + planID + "}", true
		}
		return planValue(name), true
	case "Sinces":
		return "{" + planValue("Since") + "}", true
	case "Places":
		return "{0}", true
	case "Timestamps":
		return "{" + planValue("Timestamp") + "}", true
	case "UserID":
		return planID, query != "AuditList"
	default:
		return planValue(name), true
	}
}

const planID = "0193a6a0-0000-7000-8000-000000000001"

func planValue(name string) string {
	_, end := planSpan()
	switch {
	case name == "Since":
		return "0001-01-01T00:00:00Z"
	case name == "Timestamp", strings.HasPrefix(name, "Cursor") && name != "CursorID":
		return end.AddDate(0, -7, 3).Format(time.RFC3339)
	case name == "Until", strings.HasSuffix(name, "At"), strings.HasSuffix(name, "Before"), name == "OlderThan", name == "LastLogin":
		return end.Format(time.RFC3339)
	case strings.HasSuffix(name, "Limit"):
		return "50"
	case name == "PageBytes":
		return "8388608"
	case name == "AfterID", name == "AfterUsername":
		return "n7"
	case name == "ID", strings.HasSuffix(name, "ID"), name == "Reference", name == "Holder":
		return planID
	case name == "Match":
		return `"fox7"`
	case name == "Phrases":
		return `["fox7 word"]`
	case name == "Ids":
		return `["` + planID + `"]`
	case strings.HasPrefix(name, "Is"):
		return "true"
	case strings.HasSuffix(name, "Version"):
		return "1"
	case strings.HasSuffix(name, "Hashes"), name == "Usernames", name == "Emails":
		return `["n7"]`
	default:
		return "L1"
	}
}

func checkIndexes(t *testing.T, indexes []index, used map[string][]string) {
	t.Helper()
	for _, ix := range indexes {
		if len(ix.queries) == 0 {
			t.Errorf("the comment above %s names no query", ix.name)
		}
		for _, q := range ix.queries {
			if !slices.Contains(used[q], ix.name) {
				t.Errorf("%s does not use %s, but %v (if its table is empty, fill it in seedPostgres and seedSQLite)", q, ix.name, used[q])
			}
		}
	}
}
