package auth

import (
	"errors"
	"time"
)

// What this package refuses, besides the kinds of package model. Test with errors.Is.
var (
	// ErrUnauthenticated says that the credential is unknown, expired or revoked, or
	// that its user is not active.
	ErrUnauthenticated = errors.New("the credential is unknown, expired or revoked")
	// ErrBadCredentials says that user name and password do not belong together. It
	// does not say which of them is wrong.
	ErrBadCredentials = errors.New("the user name or the password is wrong")
	// ErrForbidden says that who asks may not do it.
	ErrForbidden = errors.New("not allowed")
	// ErrRegistrationClosed says that users are made by admins alone.
	ErrRegistrationClosed = errors.New("registration is closed")
)

// LimitedError says that too many attempts failed.
type LimitedError struct {
	// RetryAfter is when the next attempt is looked at.
	RetryAfter time.Duration
}

// Error implements error.
func (*LimitedError) Error() string { return "too many attempts failed; try again later" }

// BusyError says that more passwords wait to be checked than the machine can check.
type BusyError struct {
	// RetryAfter is when trying again makes sense.
	RetryAfter time.Duration
}

// Error implements error.
func (*BusyError) Error() string { return "too many passwords wait to be checked; try again later" }
