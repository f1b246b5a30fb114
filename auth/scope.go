package auth

import (
	"fmt"
	"math/bits"
	"strings"
)

// Scope is one right, under the name that the original HAL9 gave it.
type Scope string

// The scopes, in the order in which lists show them.
const (
	ScopeViewNeuron    Scope = "ViewNeuron"
	ScopeCreateNeuron  Scope = "CreateNeuron"
	ScopeModifyNeuron  Scope = "ModifyNeuron"
	ScopeDeleteNeuron  Scope = "DeleteNeuron"
	ScopeViewSignals   Scope = "ViewSignals"
	ScopeSendSignal    Scope = "SendSignal"
	ScopeViewMemory    Scope = "ViewMemory"
	ScopeModifyMemory  Scope = "ModifyMemory"
	ScopeViewMetrics   Scope = "ViewMetrics"
	ScopeManageUsers   Scope = "ManageUsers"
	ScopeManageAPIKeys Scope = "ManageApiKeys"
	ScopeSystemAdmin   Scope = "SystemAdmin"
)

// scopeCount is how many scopes there are.
const scopeCount = 12

// scopeTable gives each scope its bit.
func scopeTable() [scopeCount]Scope {
	return [...]Scope{
		ScopeViewNeuron, ScopeCreateNeuron, ScopeModifyNeuron, ScopeDeleteNeuron,
		ScopeViewSignals, ScopeSendSignal, ScopeViewMemory, ScopeModifyMemory,
		ScopeViewMetrics, ScopeManageUsers, ScopeManageAPIKeys, ScopeSystemAdmin,
	}
}

// AllScopes lists every scope, in the order of the table.
func AllScopes() []Scope {
	table := scopeTable()
	return table[:]
}

// bit is the scope's place in a ScopeSet, 0 for an unknown one.
func (s Scope) bit() ScopeSet {
	for i, known := range scopeTable() {
		if s == known {
			return 1 << i
		}
	}
	return 0
}

// ScopeSet is a set of scopes. The zero value is empty. Sets are intersected and
// joined by & and |.
type ScopeSet uint32

// NewScopeSet returns the set of the given scopes; unknown ones are left out.
func NewScopeSet(scopes ...Scope) ScopeSet {
	var set ScopeSet
	for _, s := range scopes {
		set |= s.bit()
	}
	return set
}

// Has tells whether the set holds the scope; an unknown scope is in no set.
func (s ScopeSet) Has(scope Scope) bool {
	return s&scope.bit() != 0
}

// Len counts the scopes.
func (s ScopeSet) Len() int { return bits.OnesCount32(uint32(s)) }

// List returns the names of the scopes, in the order of the table.
func (s ScopeSet) List() []string {
	names := make([]string, 0, s.Len())
	for i, scope := range scopeTable() {
		if s&(1<<i) != 0 {
			names = append(names, string(scope))
		}
	}
	return names
}

// ParseScopes reads names of scopes, which are told apart by case. Its error names
// the first unknown one and lists those that there are.
func ParseScopes(names []string) (ScopeSet, error) {
	var set ScopeSet
	for _, name := range names {
		bit := Scope(name).bit()
		if bit == 0 {
			return 0, fmt.Errorf("unknown scope %q; the scopes are %s", name, strings.Join(NewScopeSet(AllScopes()...).List(), ", "))
		}
		set |= bit
	}
	return set, nil
}

// The roles. A role is a set of scopes.
const (
	RoleGuest = "guest"
	RoleUser  = "user"
	RoleAdmin = "admin"
)

// KnownRole tells whether there is such a role.
func KnownRole(role string) bool {
	return role == RoleGuest || role == RoleUser || role == RoleAdmin
}

// RoleScopes returns what a role may do. An unknown role, as an imported user may
// have, may do nothing.
func RoleScopes(role string) ScopeSet {
	guest := NewScopeSet(ScopeViewNeuron, ScopeViewSignals, ScopeViewMemory, ScopeViewMetrics)
	switch role {
	case RoleGuest:
		return guest
	case RoleUser:
		return guest | NewScopeSet(ScopeSendSignal, ScopeCreateNeuron, ScopeModifyNeuron, ScopeModifyMemory, ScopeManageAPIKeys)
	case RoleAdmin:
		return 1<<scopeCount - 1
	default:
		return 0
	}
}
