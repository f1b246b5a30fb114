package stream

// Told is how many ids the listener keeps that came from the database.
func (l *Listener) Told() int {
	if l.told == nil {
		return 0
	}
	return l.told.len()
}
