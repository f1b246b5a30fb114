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

// entry returns the first n keys of an entry, in the order of the scripts.
func (k *keyspace) entry(key string, n int) []string {
	kinds := [...]string{"v:", "l:", kindWake, kindTracked}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = k.prefix + kinds[i] + k.mark + ":{" + key + "}"
	}
	return keys
}

// group returns the keys of a group.
func (k *keyspace) group(group string) []string {
	tail := k.mark + ":{" + group + "}"
	return []string{k.prefix + "g:" + tail, k.prefix + kindGroup + tail}
}

// eraKeys are the era's own key, the one that tells of its change, and the one that
// holds who is there.
func eraKeys(prefix string) []string {
	return []string{prefix + "e:{era}", prefix + kindEra + "{era}", prefix + "p:{era}"}
}

// What follows the prefix in the keys that clients track, whatever the epoch and
// era. None begins another.
const (
	kindTracked = "t:" // an entry was dropped
	kindGroup   = "u:" // a group was dropped
	kindWake    = "w:" // a load under a lease has ended
	kindEra     = "c:" // a new era has begun
)

func trackedPrefixes(prefix string) []string {
	return []string{prefix + kindTracked, prefix + kindGroup, prefix + kindWake, prefix + kindEra}
}

// logical returns the part of a tracked key in braces.
func logical(physical string) string {
	_, key, _ := strings.Cut(physical, "{")
	return strings.TrimSuffix(key, "}")
}
