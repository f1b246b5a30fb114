package transfer

// variantB is the database of the authentication part alone.
type variantB struct{}

func (variantB) name() string { return "B" }

func (variantB) describe() string { return "accounts" }

func (variantB) matches(s *schema) bool {
	return len(s.tables) == 2 && s.has("users", "api_keys")
}

func (variantB) plan() []step { return nil }
