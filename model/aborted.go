package model

// AbortedTx is what a transaction answers after one of its statements failed, on
// both engines: PostgreSQL takes no further statement then, and SQLite is held to
// the same.
func AbortedTx(query string) error {
	return &Error{Kind: ErrInternal, Entity: EntityOf(query), Reason: "an earlier statement of the transaction failed"}
}
