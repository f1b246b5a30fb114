package auth

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// The most accounts, addresses and pairs of them that limits remember. An entry
// takes about 100 bytes.
const (
	maxGuessKeys  = 100_000
	maxKnownPairs = 10_000
)

// guessLimit bounds failed logins, for each account and for each address. It lives in
// this process alone: it works whatever else is down, and each server grants its own.
//
// Who guesses at an account uses up that account's budget; so that he cannot shut
// the owner out, an address from which the account logged in lately has a budget of
// its own with that account.
type guessLimit struct {
	account *RateLimit
	address *RateLimit

	mu    sync.Mutex
	known map[string]time.Time // account and address of successful logins
}

func newGuessLimit(perAccount, perAddress int, window time.Duration) *guessLimit {
	return &guessLimit{
		account: NewRateLimit(perAccount, window, maxGuessKeys),
		address: NewRateLimit(perAddress, window, maxGuessKeys),
		known:   map[string]time.Time{},
	}
}

// guess is one attempt, paid for in advance: a thousand attempts at once must not
// pass because none of them has failed yet.
type guess struct {
	limit            *guessLimit
	account, address string
	pair             string
}

// begin takes an attempt from both budgets, or tells when one is there again.
func (g *guessLimit) begin(account, ip string, now time.Time) (*guess, error) {
	a := &guess{limit: g, account: accountKey(account), address: AddressKey(ip)}
	a.pair = a.account + " " + a.address
	if g.isKnown(a.pair) {
		a.account = a.pair
	}
	if wait, ok := g.address.Take(a.address, now); !ok {
		return nil, &LimitedError{RetryAfter: wait}
	}
	if wait, ok := g.account.Take(a.account, now); !ok {
		g.address.Return(a.address, now)
		return nil, &LimitedError{RetryAfter: wait}
	}
	return a, nil
}

// giveBack is for an attempt that proved nothing: it was not looked at.
func (a *guess) giveBack(now time.Time) {
	a.limit.account.Return(a.account, now)
	a.limit.address.Return(a.address, now)
}

// succeed clears the account's failures, and remembers the address.
func (a *guess) succeed(now time.Time) {
	a.limit.account.Forget(a.account)
	a.limit.address.Return(a.address, now)
	a.limit.remember(a.pair, now)
}

func (g *guessLimit) isKnown(pair string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, ok := g.known[pair]
	return ok
}

func (g *guessLimit) remember(pair string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.known[pair]; !ok && len(g.known) >= maxKnownPairs {
		g.forgetOldest()
	}
	g.known[pair] = now
}

// forgetOldest drops the oldest of a few pairs.
func (g *guessLimit) forgetOldest() {
	oldest, oldestAt, looked := "", time.Time{}, 0
	for pair, at := range g.known {
		if oldest == "" || at.Before(oldestAt) {
			oldest, oldestAt = pair, at
		}
		if looked++; looked == 64 {
			break
		}
	}
	delete(g.known, oldest)
}

// accountKey bounds what an attacker can make the limit remember.
func accountKey(account string) string {
	account = strings.ToLower(account)
	if len(account) > 64 {
		return hashToken(account)
	}
	return account
}

// AddressKey is the part of an address that one client is likely to have to itself:
// all of an IPv4 address, the first 64 bits of an IPv6 address.
func AddressKey(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return "unknown"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.String()
}
