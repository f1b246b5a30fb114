package auth

import (
	"net/netip"
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
// the owner out, an address from which the account logged in before has a budget of
// its own with that account.
type guessLimit struct {
	account *RateLimit
	address *RateLimit
	counts  *counts

	mu    sync.Mutex
	known map[string]time.Time // account and address of successful logins
}

func newGuessLimit(perAccount, perAddress int, window time.Duration, c *counts) *guessLimit {
	return &guessLimit{
		account: NewRateLimit(perAccount, window, maxGuessKeys),
		address: NewRateLimit(perAddress, window, maxGuessKeys),
		counts:  c, known: map[string]time.Time{},
	}
}

// guess is an attempt to log in to an account from an address.
type guess struct {
	limit            *guessLimit
	account, address string
	pair             string
}

func (g *guessLimit) of(account, ip string) *guess {
	a := &guess{limit: g, account: "account " + hashToken(account), address: AddressKey(ip)}
	a.pair = a.account + " " + a.address
	if g.isKnown(a.pair) {
		a.account = a.pair
	}
	return a
}

// addressLimited tells when the address may try again, whatever the account; nil for
// now.
func (a *guess) addressLimited(now time.Time) error {
	return a.limit.refuse(a.limit.address.Wait(a.address, now), a.limit.counts.addressHits.Inc)
}

// accountLimited tells when the account may be tried again; nil for now.
func (a *guess) accountLimited(now time.Time) error {
	return a.limit.refuse(a.accountWait(now), a.limit.counts.accountHits.Inc)
}

func (a *guess) accountWait(now time.Time) time.Duration { return a.limit.account.Wait(a.account, now) }

func (*guessLimit) refuse(wait time.Duration, count func()) error {
	if wait <= 0 {
		return nil
	}
	count()
	return &LimitedError{RetryAfter: wait}
}

// begin takes the attempt from both budgets, or tells when one is there again: a
// thousand attempts at once must not pass because none of them has failed yet.
func (a *guess) begin(now time.Time) error {
	if wait, ok := a.limit.address.Take(a.address, now); !ok {
		return a.limit.refuse(wait, a.limit.counts.addressHits.Inc)
	}
	if wait, ok := a.limit.account.Take(a.account, now); !ok {
		a.limit.address.Return(a.address, now)
		return a.limit.refuse(wait, a.limit.counts.accountHits.Inc)
	}
	return nil
}

// giveBack is for an attempt that proved the password and still was no login.
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

// knownNow moves the attempt to the budget of its own address, which the account
// logged in from before.
func (a *guess) knownNow(now time.Time) {
	a.limit.remember(a.pair, now)
	a.account = a.pair
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
