package transfer

// variantA is the whole server's database, kept by sqlx's migrations.
type variantA struct{}

func (variantA) name() string { return "A" }

func (variantA) describe() string { return "accounts, neurons, signals and memories" }

func (variantA) matches(s *schema) bool {
	return s.has("_sqlx_migrations", "users", "neurons", "signals", "memories")
}

func (variantA) plan() []step { return nil }
