package subprocess

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Serve is the child's side: it answers the requests that come in, at most so many at a
// time, until the input ends, which it does when the parent is gone, however it went. What
// is under way then is given up. answer is called by several goroutines at once.
func Serve(in io.Reader, out io.Writer, concurrency int, answer func(request []byte) []byte) error {
	var mu sync.Mutex // an answer is written whole
	write := func(id uint64, payload []byte) error {
		mu.Lock()
		defer mu.Unlock()
		return writeFrame(out, id, payload)
	}
	if err := write(hello, nil); err != nil {
		return err
	}
	turns := make(chan struct{}, max(1, concurrency))
	for {
		id, request, err := readFrame(in)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a request: %w", err)
		}
		turns <- struct{}{}
		go func() { // ends with the process at the latest
			defer func() { <-turns }()
			_ = write(id, answer(request)) // nobody is left to hear of it
		}()
	}
}
