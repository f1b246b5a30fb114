package servers

import (
	"context"
	"fmt"
	"net"
)

// StartCacheOnTakenPort is StartCache, but another listener takes the first port
// that it chooses. It also returns that port.
func StartCacheOnTakenPort(ctx context.Context) (server *Server, taken string, err error) {
	program, err := FindCache()
	if err != nil {
		return nil, "", err
	}
	recipe := cacheRecipe(program)
	command := recipe.command
	recipe.command = func(port int) []string {
		if taken == "" {
			taken = fmt.Sprintf("127.0.0.1:%d", port)
			var config net.ListenConfig
			var listener net.Listener
			if listener, err = config.Listen(ctx, "tcp4", taken); err == nil {
				context.AfterFunc(ctx, func() { _ = listener.Close() })
			}
		}
		return command(port)
	}
	server, startErr := start(ctx, recipe)
	if err == nil {
		err = startErr
	}
	return server, taken, err
}
