package copydb

// WithChunks makes chunks small and calls after behind each.
func WithChunks(o Options, rows int, after func() error) Options {
	o.chunkRows, o.afterChunk = rows, after
	return o
}

// WithKeptKeys bounds how many keys of refused rows are kept.
func WithKeptKeys(o Options, keys int) Options {
	o.keptKeys = keys
	return o
}

// WithListed bounds how many refused rows a report lists.
func WithListed(o Options, rows int) Options {
	o.listed = rows
	return o
}
