package transfer

// variantB is the database of the authentication part alone.
type variantB struct{}

func (variantB) name() string { return "B" }

func (variantB) describe() string { return "accounts" }

// matches knows it by its columns: other programs have tables of these names too.
func (variantB) matches(s *schema) bool {
	return s.tables["users"].has("id", "username", "email", "password_hash") &&
		s.tables["api_keys"].has("id", "user_id", "key_hash") &&
		!s.has("signals") && !s.has("neurons") && !s.has("memories")
}

func (variantB) plan(*schema) []step { return []step{&users{}, &apiKeys{}} }
