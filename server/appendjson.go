package server

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The answers that are asked for the most and are new each time are written by hand: an
// encoder, which goes by reflection, took several times as long. TestAppended holds them
// to it, byte by byte.

// answerRoom is what such an answer takes besides its texts, about.
const answerRoom = 512

const (
	answerHead = `{"success":true,"data":`
	answerTail = `,"error":null}`
)

// appendQuoted writes a text; what is broken UTF-8 comes out as U+FFFD, as in an encoder.
func appendQuoted(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // the error tells of broken UTF-8
	return b
}

// appendFloat writes a number as ECMAScript does, which an encoder does as well.
func appendFloat(b []byte, v float64) []byte {
	const least, beyond = 1e-6, 1e21 // without an exponent
	if size := math.Abs(v); size != 0 && (size < least || size >= beyond) {
		return append(b, jsontext.Float(v).String()...)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

func appendUint(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

func appendInt[T int | int64](b []byte, v T) []byte { return strconv.AppendInt(b, int64(v), 10) }

// appendMap writes an object, its names in order.
func appendMap[V any](b []byte, values map[string]V, one func([]byte, V) []byte) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, name), ':')
		b = one(b, values[name])
	}
	return append(b, '}')
}

// append writes the members, without the braces around them.
func (m *StatusMetrics) append(b []byte) []byte {
	b = appendUint(append(b, `"signals_sent":`...), m.SignalsSent)
	b = appendUint(append(b, `,"signals_processed":`...), m.SignalsProcessed)
	b = appendUint(append(b, `,"signals_failed":`...), m.SignalsFailed)
	return appendFloat(append(b, `,"average_latency_ms":`...), m.AverageLatencyMS)
}

// encodeStatus puts the neurons, which may be a thousand and are encoded already, among
// what is new in each answer.
func encodeStatus(st *status, neurons []byte) []byte {
	b := make([]byte, 0, len(neurons)+answerRoom)
	b = strconv.AppendBool(append(b, answerHead+`{"running":`...), st.Running)
	b = appendFloat(append(b, `,"uptime_seconds":`...), st.UptimeSeconds)
	b = append(append(b, `,"neurons":`...), neurons...)
	b = st.Metrics.append(append(b, `,"metrics":{`...))
	return append(b, `}}`+answerTail...)
}

func encodeFigures(f *figures) []byte {
	const room = 2 * answerRoom
	b := make([]byte, 0, room)
	b = appendFloat(append(b, answerHead+`{"uptime_seconds":`...), f.UptimeSeconds)
	b = f.StatusMetrics.append(append(b, ','))
	b = appendFloat(append(b, `,"signals_per_second":`...), f.SignalsPerSecond)
	b = appendInt(append(b, `,"neurons_total":`...), f.NeuronsTotal)
	b = appendInt(append(b, `,"neurons_active":`...), f.NeuronsActive)
	b = appendMap(append(b, `,"neurons_by_state":`...), f.NeuronsByState, appendInt)
	b = appendUint(append(b, `,"http_requests":`...), f.HTTPRequests)
	b = appendUint(append(b, `,"http_errors":`...), f.HTTPErrors)
	b = appendInt(append(b, `,"db_connections":{"max":`...), f.DBConnections.Max)
	b = appendInt(append(b, `,"in_use":`...), f.DBConnections.InUse)
	b = appendInt(append(b, `,"idle":`...), f.DBConnections.Idle)
	b = appendInt(append(b, `,"waiting":`...), f.DBConnections.Waiting)
	b = appendFloat(append(b, `},"cache_hit_rate":`...), f.CacheHitRate)
	b = appendMap(append(b, `,"cache_hit_rates":`...), f.CacheHitRates, appendFloat)
	b = appendFloat(append(b, `,"memory_usage_mb":`...), f.MemoryUsageMB)
	b = appendUint(append(b, `,"goroutines":`...), f.Goroutines)
	return append(b, `}`+answerTail...)
}

// encodeAccount is nil for an account that has a time that JSON has no word for: an
// encoder tells that it cannot be written.
func encodeAccount(a *account) []byte {
	if year := a.CreatedAt.Year(); year < 0 || year > 9999 {
		return nil
	}
	b := make([]byte, 0, answerRoom)
	b = append(append(b, answerHead+`{"id":"`...), a.ID.String()...)
	b = appendQuoted(append(b, `","username":`...), a.Username)
	b = append(b, `,"email":`...)
	if a.Email == nil {
		b = append(b, "null"...)
	} else {
		b = appendQuoted(b, *a.Email)
	}
	b = appendQuoted(append(b, `,"role":`...), a.Role)
	b = a.CreatedAt.AppendFormat(append(b, `,"created_at":"`...), time.RFC3339Nano)
	b = strconv.AppendBool(append(b, `","is_active":`...), a.IsActive)
	return append(b, `}`+answerTail...)
}

// encodeContractAnswer is the answer to the signal that most clients send.
func encodeContractAnswer(a *contractAnswer) []byte {
	b := make([]byte, 0, len(a.Message)+answerRoom/4)
	b = append(append(b, answerHead+`{"signal_id":"`...), a.SignalID.String()...)
	b = appendQuoted(append(b, `","message":`...), a.Message)
	return append(b, `}`+answerTail...)
}
