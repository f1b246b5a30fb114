package cacheutil

import (
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"reflect"
	"strconv"
	"time"
)

// A value in Valkey is
//
//	16 hex digits  version of the row, 0 if unknown
//	 1 letter      v value, n negative entry, t tombstone; V and N in a group
//	 8 hex digits  time to live when it was stored, in milliseconds
//	 8 hex digits  how long it may be served after that
//	 8 hex digits  shape of the type, so that a program with another type misses
//	16 letters     the group's generation, after V and N alone
//	               payload
//
// Versions of fixed width compare as text. A tombstone ends after its letter.
// scripts.go reads the same form.
const (
	versionLength = 16
	kindAt        = versionLength
	ttlAt         = kindAt + 1
	staleAt       = ttlAt + 8
	shapeAt       = staleAt + 8
	headLength    = shapeAt + 8
	groupedLength = headLength + generationLength
)

const (
	kindValue     = 'v'
	kindNegative  = 'n'
	kindTombstone = 't'
	grouped       = 'v' - 'V' // what a group takes off the letter
)

// stored is a value in Valkey.
type stored struct {
	version    int64
	kind       byte // without the group's capital
	ttl, stale time.Duration
	shape      uint32
	generation string
	payload    []byte
}

var errForeign = errors.New("no value of this cache")

func (s stored) encode() string {
	data := make([]byte, 0, groupedLength+len(s.payload))
	data = append(data, formatVersion(s.version)...)
	kind := s.kind
	if s.generation != "" {
		kind -= grouped
	}
	data = append(data, kind)
	for _, number := range []uint32{milliseconds(s.ttl), milliseconds(s.stale), s.shape} {
		data = hex.AppendEncode(data, []byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}) //nolint:gosec // its bytes
	}
	data = append(data, s.generation...)
	return string(append(data, s.payload...))
}

func decodeStored(data string) (s stored, err error) {
	if len(data) <= kindAt {
		return s, errForeign
	}
	version, err := strconv.ParseUint(data[:versionLength], 16, 63)
	if err != nil {
		return s, errForeign
	}
	s.version, s.kind = int64(version), data[kindAt]
	if s.kind == kindTombstone {
		return s, nil
	}
	head := headLength
	if s.kind == kindValue-grouped || s.kind == kindNegative-grouped {
		s.kind += grouped
		head = groupedLength
	}
	if len(data) < head || s.kind != kindValue && s.kind != kindNegative {
		return s, errForeign
	}
	var numbers [3]uint32
	for i := range numbers {
		number, err := strconv.ParseUint(data[ttlAt+8*i:ttlAt+8*(i+1)], 16, 32)
		if err != nil {
			return s, errForeign
		}
		numbers[i] = uint32(number)
	}
	s.ttl, s.stale = time.Duration(numbers[0])*time.Millisecond, time.Duration(numbers[1])*time.Millisecond
	s.shape = numbers[2]
	s.generation, s.payload = data[headLength:head], []byte(data[head:])
	return s, nil
}

func formatVersion(version int64) string {
	return fmt.Sprintf("%016x", max(version, 0))
}

func milliseconds(d time.Duration) uint32 {
	return uint32(min(max(d.Milliseconds(), 0), math.MaxUint32))
}

// shapeOf is a hash of a type's structure: field names, tags and types, however
// deep. Values of another structure are not decoded into it, where they would
// leave fields empty.
func shapeOf(t reflect.Type) uint32 {
	hash := fnv.New32a()
	seen := map[reflect.Type]bool{}
	var write func(reflect.Type)
	write = func(t reflect.Type) {
		_, _ = fmt.Fprintf(hash, "%s.%s %s;", t.PkgPath(), t.Name(), t.Kind())
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Struct:
			for field := range t.Fields() {
				_, _ = fmt.Fprintf(hash, "%s %q;", field.Name, field.Tag)
				write(field.Type)
			}
		case reflect.Map:
			write(t.Key())
			write(t.Elem())
		case reflect.Pointer, reflect.Slice, reflect.Array:
			_, _ = fmt.Fprintf(hash, "%s;", t)
			write(t.Elem())
		default:
		}
	}
	write(t)
	return hash.Sum32()
}
