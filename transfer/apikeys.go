package transfer

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

type apiKeyItem = account[model.APIKeyImportParams]

// apiKeys imports the API keys. Their hashes are copied as they are, so that the
// keys go on working.
type apiKeys struct{}

func (apiKeys) table() string { return "api_keys" }

func (apiKeys) run(ctx context.Context, j *job) error {
	now := model.NormalTime(j.options.Now())
	judge := func(ctx context.Context, q model.Queries, items []*apiKeyItem) ([]outcome, error) {
		return apiKeysJudge(ctx, j, q, items)
	}
	p := pipe[*apiKeyItem]{
		name:    "api_keys",
		columns: []string{"id", "user_id", "name", "key_hash", "permissions", "is_active", lastUsed(j.source.schema), "created_at", "expires_at"},
		unique:  []string{"key_hash"},
		convert: func(_ context.Context, r *row) (*apiKeyItem, error) {
			return apiKeyOf(r, lastUsed(j.source.schema), now)
		},
		judge: judge,
		write: func(ctx context.Context, tx model.Tx, items []*apiKeyItem) ([]outcome, error) {
			outcomes, err := judge(ctx, tx, items)
			if err != nil {
				return nil, err
			}
			err = importFresh(ctx, tx, items, outcomes, func(ctx context.Context, q model.Imports, k *apiKeyItem) (int64, error) {
				return q.APIKeyImport(ctx, k.params)
			})
			if err != nil {
				return nil, err
			}
			return outcomes, keepDetails(ctx, tx, entityAPIKey, items, outcomes, now)
		},
	}
	return p.run(ctx, j)
}

// lastUsed is the column that variant B names otherwise than A.
func lastUsed(s *schema) string {
	if s.tables["api_keys"].has("last_used_at") {
		return "last_used_at"
	}
	return "last_used"
}

// apiKeyOf converts a row of api_keys.
func apiKeyOf(r *row, lastUsed string, now time.Time) (*apiKeyItem, error) {
	k := &apiKeyItem{}
	if err := ownedBy(r, entityAPIKey, k); err != nil {
		return nil, err
	}
	p := &k.params
	p.ID, p.UserID = k.id, k.userID
	var err error
	if p.KeyHash, err = r.requiredHash("key_hash", "and no key matches it"); err != nil {
		return nil, err
	}
	p.Name = keyName(r, &k.about)
	p.Permissions = permissionsOf(r, &k.about)
	p.IsActive = r.flag("is_active", true, &k.about)
	p.LastUsedAt = r.optionalMoment(lastUsed, &k.about)
	p.CreatedAt = r.momentOr("created_at", &k.about, now, "the time of the import")
	p.ExpiresAt = r.optionalMoment("expires_at", &k.about)
	if p.ExpiresAt == nil && r.value("expires_at") != nil && p.IsActive {
		// A key must not live for ever because its end cannot be read.
		r.keep("is_active", &k.about, "was set, but expires_at could not be read: the key was made inactive")
		p.IsActive = false
	}
	k.about.addAll(r.legacy())
	return k, r.claim("key_hash")
}

// keyName reads the name, which must not be empty here.
func keyName(r *row, about *object) string {
	name := r.optionalText("name", maxName, about)
	if name != nil && *name != "" {
		return *name
	}
	if text, _ := textOf(r.value("name")); utf8.RuneCountInString(text) > maxName && model.CheckText("", "", text) == nil {
		return string([]rune(text)[:maxName])
	}
	r.note("name was empty or no text: set to imported")
	if name != nil {
		r.reshaped("name", "an empty name")
	}
	return "imported"
}

// permissionsOf reads the scopes: an array of names, or variant B's object around
// one. Names that this service does not know grant nothing; the whole value is kept
// then.
func permissionsOf(r *row, about *object) model.JSON {
	const column = "permissions"
	text, found := textOf(r.value(column))
	if !found {
		return model.JSON("[]")
	}
	names, whole, unknown := readPermissions([]byte(text))
	known := []string{}
	for _, name := range names {
		switch {
		case !slices.Contains(scopeNames(), name):
			unknown = true
			r.note("permission " + shorten(quoteName(name)) + " is unknown and grants nothing")
		case !slices.Contains(known, name):
			known = append(known, name)
		}
	}
	switch {
	case !whole:
		r.keep(column, about, "was no list of names, and grants nothing")
	case unknown:
		r.keep(column, about, "held what this service does not know")
	case strings.HasPrefix(strings.TrimSpace(text), "{"):
		r.reshaped(column, "the list in an object became the list itself")
	case len(known) != len(names):
		r.reshaped(column, "names that stood twice were put once")
	}
	return jsonList(known)
}

func quoteName(name string) string { return string(quoteJSON(name)) }

// readPermissions returns the names in a value; whole says that it is a list of the
// kind, unknown that there is more in it than names.
func readPermissions(text []byte) (names []string, whole, unknown bool) {
	text = bytes.TrimSpace(text)
	if model.CheckJSON("", "", text) != nil {
		return nil, false, false
	}
	list := text
	if o, ok := parseObject(text); ok {
		i := o.index("permissions")
		if i < 0 {
			return nil, false, false
		}
		list, unknown = o.members[i].value, len(o.members) > 1
	}
	var items []any
	if err := json.Unmarshal(list, &items); err != nil || items == nil {
		return nil, false, false
	}
	for _, item := range items {
		if name, ok := item.(string); ok {
			names = append(names, name)
		} else {
			unknown = true
		}
	}
	return names, true, unknown
}

// scopeNames are the rights that this service knows, which the original named alike.
func scopeNames() []string {
	return []string{
		"ViewNeuron", "CreateNeuron", "ModifyNeuron", "DeleteNeuron", "ViewSignals", "SendSignal",
		"ViewMemory", "ModifyMemory", "ViewMetrics", "ManageUsers", "ManageApiKeys", "SystemAdmin",
	}
}

// apiKeysJudge tells which keys are there, and which cannot be written.
func apiKeysJudge(ctx context.Context, j *job, q model.Queries, items []*apiKeyItem) ([]outcome, error) {
	outcomes := make([]outcome, len(items))
	if q != nil {
		var ids, hashes []string
		for _, k := range items {
			ids, hashes = append(ids, k.id.String()), append(hashes, k.params.KeyHash)
		}
		claims, err := q.APIKeyListClaims(ctx, model.APIKeyListClaimsParams{Ids: jsonList(ids), KeyHashes: jsonList(hashes)})
		if err != nil {
			return nil, err
		}
		byID, byHash := map[uuid.UUID]bool{}, map[string]uuid.UUID{}
		for _, c := range claims {
			byID[c.ID], byHash[c.KeyHash] = true, c.ID
		}
		claimed(items, outcomes, byID, byHash, func(p model.APIKeyImportParams) string { return p.KeyHash }, "key_hash is that of another key here")
	}
	return outcomes, owners(ctx, j, q, items, outcomes)
}
