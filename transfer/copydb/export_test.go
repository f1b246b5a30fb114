package copydb

// WithChunks makes chunks small and calls after behind each.
func WithChunks(o Options, rows int, after func() error) Options {
	o.chunkRows, o.afterChunk = rows, after
	return o
}
