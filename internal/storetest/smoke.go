package storetest

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// testEveryQueryRuns executes every generated query with plausible arguments: a
// statement that sqlc compiled wrongly, or whose columns the engine does not know,
// shows here even when no other test calls it.
func testEveryQueryRuns(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	queries := reflect.TypeFor[model.Queries]()
	st := reflect.ValueOf(b.Store)
	for method := range queries.Methods() {
		name := method.Name
		method := st.MethodByName(name)
		args := []reflect.Value{reflect.ValueOf(ctx)}
		if method.Type().NumIn() == 2 {
			args = append(args, plausible(method.Type().In(1)))
		}
		out := method.Call(args)
		err, _ := reflect.TypeAssert[error](out[len(out)-1])
		var own *model.Error
		switch {
		case err == nil, errors.Is(err, model.ErrNotFound):
		case errors.Is(err, model.ErrInvalid) && errors.As(err, &own) && strings.HasSuffix(own.Field, "_id"):
			// A foreign key to a row that is not there: the statement ran.
		default:
			t.Errorf("%s: %v (cause %v)", name, err, cause(err))
		}
	}
	if queries.NumMethod() < 60 {
		t.Errorf("only %d queries: is the interface complete?", queries.NumMethod())
	}
}

func plausible(params reflect.Type) reflect.Value {
	v := reflect.New(params).Elem()
	for i := range params.NumField() {
		field := v.Field(i)
		switch field.Interface().(type) {
		case string:
			switch params.Field(i).Name {
			case "Match":
				field.SetString(`"word"`)
			case "Condition":
				field.SetString(model.ConditionRunning)
			case "Entity":
				field.SetString("user")
			default:
				field.SetString(uuid.NewString()) // unique fields stay unique
			}
		case model.JSON:
			field.Set(reflect.ValueOf(model.JSON("[]")))
		case time.Time:
			field.Set(reflect.ValueOf(time.Now()))
		case uuid.UUID:
			field.Set(reflect.ValueOf(uuid.New()))
		case int64:
			field.SetInt(1)
		case float64:
			field.SetFloat(0.5)
		}
	}
	return v
}

// testVersionsGrow holds every query that writes a versioned row to a new version,
// greater than all before, over delete and create too.
func testVersionsGrow(t *testing.T, b *bench) {
	ctx := ctxOf(t)
	last := int64(0)
	grew := func(what string, version int64) {
		t.Helper()
		if version <= last {
			t.Errorf("%s: version %d is not greater than %d", what, version, last)
		}
		last = version
	}
	n := must[model.Neuron](t)
	grew("NeuronInsert", n(b.NeuronInsert(ctx, b.neuron("a"))).Version)
	grew("NeuronUpdate", n(b.NeuronUpdate(ctx, model.NeuronUpdateParams{ID: "a", Layer: "L3", Settings: model.EmptyObject(), UpdatedAt: b.now})).Version)
	grew("NeuronSetState", n(b.NeuronSetState(ctx, model.NeuronSetStateParams{ID: "a", State: "busy", Condition: model.ConditionRunning, UpdatedAt: b.now})).Version)
	must[model.NeuronDeleteRow](t)(b.NeuronDelete(ctx, model.NeuronDeleteParams{ID: "a"}))
	grew("NeuronInsert again", n(b.NeuronInsert(ctx, b.neuron("a"))).Version)
	must[int64](t)(b.NeuronImport(ctx, model.NeuronImportParams{ID: "i", Layer: "L1", State: "idle", Condition: "running", Settings: model.EmptyObject(), CreatedAt: b.now, UpdatedAt: b.now}))
	grew("NeuronImport", n(b.NeuronGet(ctx, model.NeuronGetParams{ID: "i"})).Version)

	u := must[model.User](t)
	user := u(b.UserInsert(ctx, b.user("ann")))
	grew("UserInsert", user.Version)
	grew("UserUpdateProfile", u(b.UserUpdateProfile(ctx, model.UserUpdateProfileParams{ID: user.ID, Username: "anna", UpdatedAt: b.now})).Version)
	grew("UserSetPassword", u(b.UserSetPassword(ctx, model.UserSetPasswordParams{ID: user.ID, PasswordHash: "h2", UpdatedAt: b.now})).Version)
	grew("UserSetRole", u(b.UserSetRole(ctx, model.UserSetRoleParams{ID: user.ID, Role: "admin", IsActive: true, UpdatedAt: b.now})).Version)
	u(b.UserSetLastLogin(ctx, model.UserSetLastLoginParams{ID: user.ID, LastLogin: b.now}))
	grew("UserSetLastLogin", u(b.UserGet(ctx, model.UserGetParams{ID: user.ID})).Version)
	must[int64](t)(b.UserImport(ctx, model.UserImportParams{ID: b.id(), Username: "imp", PasswordHash: "h", Role: "user", CreatedAt: b.now, UpdatedAt: b.now}))
	grew("UserImport", u(b.UserGetByUsername(ctx, model.UserGetByUsernameParams{Username: "imp"})).Version)

	s := must[model.Session](t)
	session := s(b.SessionInsert(ctx, b.session(user.ID, "t1")))
	grew("SessionInsert", session.Version)
	grew("SessionRotate", s(b.SessionRotate(ctx, model.SessionRotateParams{ID: session.ID, OldTokenHash: session.TokenHash, TokenHash: "t2", ExpiresAt: b.now})).Version)
	k := must[model.APIKey](t)
	key := k(b.APIKeyInsert(ctx, b.apiKey(user.ID, "k1")))
	grew("APIKeyInsert", key.Version)
	must[model.APIKey](t)(b.APIKeySetLastUsed(ctx, model.APIKeySetLastUsedParams{ID: key.ID, LastUsedAt: b.now}))
	grew("APIKeySetLastUsed", k(b.APIKeyGetByHash(ctx, model.APIKeyGetByHashParams{KeyHash: "k1"})).Version)
	grew("APIKeyRevoke", k(b.APIKeyRevoke(ctx, model.APIKeyRevokeParams{ID: key.ID, UserID: user.ID})).Version)

	m := must[model.Memory](t)
	memory := m(b.MemoryInsert(ctx, b.memory("a", "text")))
	grew("MemoryInsert", memory.Version)
	grew("MemoryUpdate", m(b.MemoryUpdate(ctx, model.MemoryUpdateParams{ID: memory.ID, NeuronID: "a", Content: "other", Context: model.EmptyObject(), Metadata: model.EmptyObject(), UpdatedAt: b.now})).Version)
	imported := b.memoryImport("a", "imported")
	must[int64](t)(b.MemoryImport(ctx, imported))
	grew("MemoryImport", m(b.MemoryGet(ctx, model.MemoryGetParams{ID: imported.ID})).Version)
	grew("the next row of any table", n(b.NeuronInsert(ctx, b.neuron("z"))).Version)
}

// The rows that tests start from.

func (b *bench) neuron(id string) model.NeuronInsertParams {
	return model.NeuronInsertParams{
		ID: id, Layer: "L4", SystemPrompt: "You plan.", Settings: model.JSON(`{"k":1}`),
		State: model.StateIdle, Condition: model.ConditionRunning, CreatedAt: b.now,
	}
}

func (b *bench) user(name string) model.UserInsertParams {
	return model.UserInsertParams{
		ID: b.id(), Username: name, Email: new(name + "@example.org"), PasswordHash: "$argon2id$x",
		Role: "user", IsActive: true, CreatedAt: b.now, UpdatedAt: b.now,
	}
}

func (b *bench) session(user uuid.UUID, hash string) model.SessionInsertParams {
	return model.SessionInsertParams{
		ID: b.id(), UserID: user, TokenHash: hash, IPAddress: new("127.0.0.1"),
		ExpiresAt: b.now.Add(15 * time.Minute), CreatedAt: b.now,
	}
}

func (b *bench) apiKey(user uuid.UUID, hash string) model.APIKeyInsertParams {
	return model.APIKeyInsertParams{
		ID: b.id(), UserID: user, Name: "ci", KeyHash: hash, Permissions: model.JSON(`["ViewNeuron"]`),
		IsActive: true, CreatedAt: b.now,
	}
}

func (b *bench) signal(at time.Time) model.SignalInsertParams {
	return model.SignalInsertParams{
		ID: b.ids.NewAt(at), FromNeuron: "api-client", ToNeuron: "neuron-l4", LayerFrom: "API", LayerTo: "L4",
		PropagationType: "forward", Content: "plan the day", Metadata: model.EmptyObject(), Timestamp: at,
	}
}

func (b *bench) memory(neuron, content string) model.MemoryInsertParams {
	return model.MemoryInsertParams{
		ID: b.id(), NeuronID: neuron, Content: content, Importance: 0.5,
		Context: model.EmptyObject(), Metadata: model.EmptyObject(), CreatedAt: b.now,
	}
}

func (b *bench) memoryImport(neuron, content string) model.MemoryImportParams {
	return model.MemoryImportParams{
		ID: b.id(), NeuronID: neuron, Layer: new("L2"), EntryType: new("Task"), Content: content, Importance: 0.699999988,
		Context: model.EmptyObject(), Metadata: model.JSON(`{"a":[1,2]}`), Embedding: []byte{0, 0, 128, 63},
		AccessCount: 7, LastAccessed: new(b.now), CreatedAt: b.now.Add(-time.Hour), UpdatedAt: b.now.Add(-time.Minute),
	}
}

func insertSignals(ctx context.Context, t *testing.T, b *bench, signals ...model.SignalInsertParams) {
	t.Helper()
	for _, s := range signals {
		equal(t, "rows written", must[int64](t)(b.SignalInsert(ctx, s)), 1)
	}
}
