package ha

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Below the range from which the kernel takes the near ends of connections: a server
// that is started again must find its port free.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// ports hands out ports of 127.0.0.1 on which nobody listens, no port twice.
type ports struct{ given map[int]bool }

func (p *ports) next(ctx context.Context) (int, error) {
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort) //nolint:gosec // any free port will do
		if p.given[port] {
			continue
		}
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp4", address(port))
		if err != nil {
			continue
		}
		if err := ln.Close(); err != nil {
			continue
		}
		p.given[port] = true
		return port, nil
	}
	return 0, errors.New("find a free port: none among a thousand")
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
