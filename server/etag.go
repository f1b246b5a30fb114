package server

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/hal9-ai/hal9/model"
)

// Validators as RFC 9110 has them (sections 8.8.3 and 13.1). A stored row's ETag is
// made from its version, which grows with each write, even over delete and create:
// "17-1". What stands behind the version tells representations of one version apart,
// since an answer may hold what changes without a write. GET compares the whole tag;
// If-Match compares versions, for a write can only lose what another write made.
const (
	headerIfMatch     = "If-Match"
	headerIfNoneMatch = "If-None-Match"
	// keepAsking lets a client keep an answer for itself, if it asks each time whether
	// it is still the same.
	keepAsking = "private, no-cache"
	// maxETags bounds the tags of one header.
	maxETags = 100
)

// versionTag is the ETag of one representation of a version.
func versionTag(version int64, representation string) string {
	return `"` + strconv.FormatInt(version, 10) + "-" + representation + `"`
}

// neuronTag: is_healthy changes with time alone.
func neuronTag(n *neuron) string {
	if n.IsHealthy {
		return versionTag(n.Version, "1")
	}
	return versionTag(n.Version, "0")
}

// memoryTag: reading a memory may count without making a version.
func memoryTag(m *Memory) string {
	return versionTag(m.Version, strconv.FormatInt(m.AccessCount, 10))
}

// contentTag is the ETag of bytes.
func contentTag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// tagged makes an answer bear an ETag.
func (a *answer[T]) tagged(etag string) *answer[T] {
	a.ETag = etag
	return a
}

// IfNoneMatch is embedded by the inputs of conditional GETs.
type IfNoneMatch struct {
	IfNoneMatch string `header:"If-None-Match" doc:"ETags of what the client holds, or *: answered 304 without a body if one of them is still right." example:"&quot;17-1&quot;"`
	tags        []string
}

// Resolve implements huma.Resolver. It reads all lines of the header.
func (in *IfNoneMatch) Resolve(ctx huma.Context) []error {
	var fault string
	if in.tags, fault = parseETags(unwrap(ctx).Request.Header[headerIfNoneMatch]); fault != "" {
		return []error{&huma.ErrorDetail{Location: "header." + headerIfNoneMatch, Message: fault}}
	}
	return nil
}

// conditional answers 304 if the client holds what a has.
func conditional[T any](in *IfNoneMatch, a *answer[T], etag string) *answer[T] {
	a.ETag, a.CacheControl = etag, keepAsking
	if noneMatch(in.tags, etag) {
		return a
	}
	return &answer[T]{Status: http.StatusNotModified, ETag: a.ETag, CacheControl: a.CacheControl}
}

// noneMatch compares weakly, as If-None-Match does.
func noneMatch(tags []string, etag string) bool {
	for _, t := range tags {
		if t == "*" || strings.TrimPrefix(t, "W/") == etag {
			return false
		}
	}
	return true
}

// IfMatch is embedded by the inputs of writes to a versioned row.
type IfMatch struct {
	IfMatch string `header:"If-Match" doc:"ETags of the versions that may be changed, or * for whatever is there: answered 412 if the stored one is another." example:"&quot;17-1&quot;"`
	tags    []string
}

// Resolve implements huma.Resolver.
func (in *IfMatch) Resolve(ctx huma.Context) []error {
	var fault string
	if in.tags, fault = parseETags(unwrap(ctx).Request.Header[headerIfMatch]); fault != "" {
		return []error{&huma.ErrorDetail{Location: "header." + headerIfMatch, Message: fault}}
	}
	return nil
}

// given tells whether the request has a condition.
func (in *IfMatch) given() bool { return len(in.tags) > 0 }

// CreateOnly is embedded by the input of a PUT that may create.
type CreateOnly struct {
	IfNoneMatch string `header:"If-None-Match" doc:"* to create it only if there is none: answered 412 otherwise." example:"*"`
	createOnly  bool
}

// Resolve implements huma.Resolver.
func (in *CreateOnly) Resolve(ctx huma.Context) []error {
	tags, fault := parseETags(unwrap(ctx).Request.Header[headerIfNoneMatch])
	if fault == "" && len(tags) > 0 && tags[0] != "*" {
		fault = "must be * with this method; to replace what you have read, send its ETag in If-Match"
	}
	if fault != "" {
		return []error{&huma.ErrorDetail{Location: "header." + headerIfNoneMatch, Message: fault}}
	}
	in.createOnly = len(tags) > 0
	return nil
}

// noVersion is a version that no row has.
const noVersion = int64(-1)

// version returns the one version that may be changed, nil for any. current reads
// the version of the stored row; it is asked only when several would do, and a write
// that comes between makes a version that the client cannot have named.
func (in *IfMatch) version(current func() (int64, error)) (*int64, error) {
	if !in.given() || in.tags[0] == "*" {
		return nil, nil //nolint:nilnil // any
	}
	var versions []int64
	for _, t := range in.tags {
		// A weak tag never matches here, and neither does one that is not ours.
		number, representation, ok := strings.Cut(strings.Trim(t, `"`), "-")
		if v, err := strconv.ParseInt(number, 10, 64); ok && err == nil && representation != "" && v > 0 && versionTag(v, representation) == t {
			versions = append(versions, v)
		}
	}
	if len(versions) == 1 {
		return &versions[0], nil
	}
	never := noVersion
	if len(versions) == 0 {
		return &never, nil
	}
	stored, err := current()
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v == stored {
			return &v, nil
		}
	}
	return &never, nil
}

// missed tells why a write with a condition met no row: what there is now has
// another version, or there is nothing.
func (in *IfMatch) missed(entity string, current func() (int64, error)) error {
	if !in.given() {
		return &model.Error{Kind: model.ErrNotFound, Entity: entity}
	}
	if _, err := current(); err != nil {
		return err
	}
	return changedSince(headerIfMatch, "the "+entity+" has changed since: read it again, and send the new ETag")
}

// changedSince is the 412.
func changedSince(header, message string) *problem {
	return newProblem(http.StatusPreconditionFailed, "", problemField{"header." + header, message})
}

// parseETags reads the lines of a header that holds * or a list of tags. The fault is
// a sentence for the client.
func parseETags(lines []string) (tags []string, fault string) {
	const malformed = `must be * or a list of ETags in double quotes, such as "17-1"`
	if len(lines) == 0 {
		return nil, ""
	}
	text := strings.Trim(strings.Join(lines, ","), " \t")
	if text == "*" {
		return []string{"*"}, ""
	}
	text = strings.TrimLeft(text, ", \t")
	for text != "" {
		tag, rest, ok := cutETag(text)
		if !ok {
			return nil, malformed
		}
		if tags = append(tags, tag); len(tags) > maxETags {
			return nil, "must not hold more than " + strconv.Itoa(maxETags) + " ETags"
		}
		rest = strings.TrimLeft(rest, " \t")
		if rest != "" && rest[0] != ',' {
			return nil, malformed
		}
		text = strings.TrimLeft(rest, ", \t")
	}
	if len(tags) == 0 {
		return nil, malformed
	}
	return tags, ""
}

// cutETag takes one tag from the beginning of a list.
func cutETag(text string) (tag, rest string, ok bool) {
	opaque := strings.TrimPrefix(text, "W/")
	if opaque == "" || opaque[0] != '"' {
		return "", "", false
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 || strings.ContainsFunc(opaque[1:end+1], func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return "", "", false
	}
	end += len(text) - len(opaque) + 2
	return text[:end], text[end:], true
}
