package stream

// Told is how many ids the listener keeps that came from the database.
func (l *Listener) Told() int { return len(l.told) }
