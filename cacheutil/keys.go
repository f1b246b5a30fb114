package cacheutil

import (
	"strconv"
	"strings"
)

// keyspace makes the keys in Valkey. All carry the epoch of the database and the
// era of the cache: a change of either puts everything out of reach. The part in
// braces decides the slot in a cluster, so the keys of one entry are together.
type keyspace struct {
	prefix, mark string
}

func newKeyspace(prefix string, epoch int64, era string) *keyspace {
	return &keyspace{prefix: prefix, mark: strconv.FormatInt(epoch, 10) + "." + era}
}

// entry returns the keys of an entry in the order of the scripts.
func (k *keyspace) entry(key string) []string {
	tail := k.mark + ":{" + key + "}"
	return []string{
		k.prefix + "v:" + tail,
		k.prefix + "l:" + tail,
		trackedPrefix(k.prefix) + tail,
		wakePrefix(k.prefix) + tail,
	}
}

// group returns the keys of a group.
func (k *keyspace) group(group string) []string {
	tail := k.mark + ":{" + group + "}"
	return []string{k.prefix + "g:" + tail, groupPrefix(k.prefix) + tail}
}

// eraKeys are the era's own key and the one that tells of its change.
func eraKeys(prefix string) []string {
	return []string{prefix + "e:{era}", prefix + "c:{era}"}
}

func trackedPrefix(prefix string) string { return prefix + "t:" }
func groupPrefix(prefix string) string   { return prefix + "u:" }
func wakePrefix(prefix string) string    { return prefix + "w:" }

// trackedPrefixes are what clients track, whatever the epoch and era. None begins
// another.
func trackedPrefixes(prefix string) []string {
	return []string{trackedPrefix(prefix), groupPrefix(prefix), wakePrefix(prefix), prefix + "c:"}
}

// logical returns the part of a tracked key in braces.
func logical(physical string) string {
	_, key, _ := strings.Cut(physical, "{")
	return strings.TrimSuffix(key, "}")
}
