package auth

// NewAccessToken makes an access token and the hash that a session stores of it: for
// those who hold the database and write sessions themselves, as the seeds of load tests
// do.
func NewAccessToken() (token, tokenHash string) {
	token = newToken(prefixAccess)
	return token, hashToken(token)
}

// Hash makes what is stored of a password, with a salt of its own. It takes tens of
// milliseconds and is not held back by the bound on hashes at once.
func (a Argon2) Hash(password string) (string, error) {
	if err := checkPassword("password", password); err != nil {
		return "", err
	}
	return a.WithDefaults().hash(password), nil
}
