package cacheutil

import (
	"context"
	"crypto/sha1" //nolint:gosec // it names a script, no secret depends on it
	"encoding/hex"

	"github.com/valkey-io/valkey-go"
)

// script is a Lua script and the name under which Valkey knows it once it ran.
// The client's own type does not pipeline different scripts.
type script struct {
	text, sha string
}

func newScript(text string) script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return script{text: text, sha: hex.EncodeToString(sum[:])}
}

// scriptCall is one run of a script.
type scriptCall struct {
	script
	keys, args []string
}

func (c scriptCall) byName(client valkey.Client) valkey.Completed {
	return client.B().Evalsha().Sha1(c.sha).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

func (c scriptCall) byText(client valkey.Client) valkey.Completed {
	return client.B().Eval().Script(c.text).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}

func runScript(ctx context.Context, client valkey.Client, call scriptCall) valkey.ValkeyResult {
	result := client.Do(ctx, call.byName(client))
	if noScript(result) {
		result = client.Do(ctx, call.byText(client))
	}
	return result
}

// runAll runs the calls in one round trip; in another one those whose script
// Valkey did not know.
func runAll(ctx context.Context, client valkey.Client, calls []scriptCall) []valkey.ValkeyResult {
	commands := make([]valkey.Completed, len(calls))
	for i, call := range calls {
		commands[i] = call.byName(client)
	}
	results := client.DoMulti(ctx, commands...)
	var unknown []int
	var again []valkey.Completed
	for i, result := range results {
		if noScript(result) {
			unknown = append(unknown, i)
			again = append(again, calls[i].byText(client))
		}
	}
	if len(unknown) > 0 {
		for i, result := range client.DoMulti(ctx, again...) {
			results[unknown[i]] = result
		}
	}
	return results
}

func noScript(result valkey.ValkeyResult) bool {
	err, ok := valkey.IsValkeyErr(result.Error())
	return ok && err.IsNoScript()
}
