package transfer

// variantA is the whole server's database, kept by sqlx's migrations, before or
// after the one that gave users an email.
type variantA struct{}

func (variantA) name() string { return "A" }

func (variantA) describe() string {
	return "accounts, neurons, signals, memories, metrics and the audit log"
}

func (variantA) matches(s *schema) bool {
	return s.has("_sqlx_migrations") && s.tables["users"].has("id", "username", "password_hash")
}

// plan takes those of the eight tables that the file has: not each of the
// original's versions had all.
func (variantA) plan(s *schema) []step {
	var steps []step
	add := func(st step, columns ...string) {
		if s.tables[st.table()].has(columns...) {
			steps = append(steps, st)
		}
	}
	add(&neurons{}, "id")
	add(&signals{}, "id", "from_neuron", "to_neuron", "layer_from", "layer_to", "content", "timestamp")
	add(&users{}, "id", "username", "password_hash")
	add(&apiKeys{}, "id", "user_id", "key_hash")
	add(&sessions{}, "id", "user_id", "token_hash")
	if (variantC{}).matches(s) {
		add(memoriesOfC(), "id")
	} else {
		add(memoriesOfA(), "id", "neuron_id", "content", "created_at")
	}
	add(metricsOfA(), "id", "metric_name", "value", "timestamp")
	add(auditOfA(), "id", "action", "created_at")
	return steps
}
