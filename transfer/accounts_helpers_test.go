package transfer_test

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"testing"

	"github.com/google/uuid"

	"github.com/hal9-ai/hal9/model"
)

// The tables of variant A as sqlx's migrations made them; the two columns of the
// email came with a later one.
const (
	ddlAUsers = `
CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL, username TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'user', is_active INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, last_login INTEGER);`
	ddlAEmail = `
ALTER TABLE users ADD COLUMN email TEXT;
ALTER TABLE users ADD COLUMN email_verified INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX idx_users_email ON users (email);`
	ddlARest = `
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL);
INSERT INTO _sqlx_migrations VALUES (1, 'initial', '2025-06-12 10:00:00', 1, x'00', 1);
CREATE TABLE neurons (
    id TEXT PRIMARY KEY NOT NULL, layer TEXT NOT NULL, system_prompt TEXT NOT NULL, settings TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL DEFAULT 'idle', created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
CREATE TABLE signals (
    id TEXT PRIMARY KEY NOT NULL, from_neuron TEXT NOT NULL, to_neuron TEXT NOT NULL, layer_from TEXT NOT NULL,
    layer_to TEXT NOT NULL, propagation_type TEXT NOT NULL DEFAULT 'forward', content TEXT NOT NULL,
    metadata TEXT NOT NULL DEFAULT '{}', timestamp INTEGER NOT NULL);
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, name TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE, permissions TEXT NOT NULL DEFAULT '[]', is_active INTEGER NOT NULL DEFAULT 1,
    last_used_at INTEGER, created_at INTEGER NOT NULL, expires_at INTEGER);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE, ip_address TEXT, user_agent TEXT, expires_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE memories (
    id TEXT PRIMARY KEY NOT NULL, neuron_id TEXT NOT NULL, content TEXT NOT NULL, importance REAL NOT NULL DEFAULT 0.5,
    context TEXT NOT NULL DEFAULT '{}', created_at INTEGER NOT NULL);
CREATE TABLE metrics_aggregate (
    id TEXT PRIMARY KEY NOT NULL, metric_name TEXT NOT NULL, neuron_id TEXT, value REAL NOT NULL,
    labels TEXT NOT NULL DEFAULT '{}', timestamp INTEGER NOT NULL);
CREATE TABLE audit_log (
    id TEXT PRIMARY KEY NOT NULL, user_id TEXT, action TEXT NOT NULL, resource_type TEXT NOT NULL, resource_id TEXT,
    details TEXT NOT NULL DEFAULT '{}', ip_address TEXT, user_agent TEXT, created_at INTEGER NOT NULL);`
)

const ddlA = ddlAUsers + ddlAEmail + ddlARest

const ddlB = `
CREATE TABLE users (
    id TEXT PRIMARY KEY NOT NULL, username TEXT NOT NULL UNIQUE, email TEXT NOT NULL, password_hash TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'user', created_at INTEGER NOT NULL, last_login INTEGER, is_active INTEGER NOT NULL DEFAULT 1);
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL, user_id TEXT NOT NULL, key_hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    permissions TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, last_used INTEGER,
    is_active INTEGER NOT NULL DEFAULT 1);`

// looseAccounts are the account tables of variant A without types and constraints.
const looseAccounts = `
CREATE TABLE _sqlx_migrations (version);
CREATE TABLE users (id, username, email, password_hash, role, is_active, email_verified, created_at, updated_at, last_login);
CREATE TABLE api_keys (id, user_id, name, key_hash, permissions, is_active, last_used_at, created_at, expires_at);
CREATE TABLE sessions (id, user_id, token_hash, ip_address, user_agent, expires_at, created_at);
CREATE TABLE metrics_aggregate (id, metric_name, neuron_id, value, labels, timestamp);
CREATE TABLE audit_log (id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at);
CREATE TABLE memories (id, neuron_id, content, importance, context, created_at);`

type values = map[string]any

func (s *sourceDB) row(t *testing.T, table string, base, differing values) {
	t.Helper()
	row := maps.Clone(base)
	maps.Copy(row, differing)
	s.insert(t, table, row)
}

func (s *sourceDB) user(t *testing.T, differing values) {
	t.Helper()
	s.row(t, "users", values{
		"id": numbered(1), "username": "alice", "password_hash": "$2b$12$" + "x", "role": "user", "is_active": 1, "created_at": 1749722400,
	}, differing)
}

func (s *sourceDB) apiKey(t *testing.T, differing values) {
	t.Helper()
	s.row(t, "api_keys", values{
		"id": numbered(101), "user_id": numbered(1), "name": "ci", "key_hash": hashOf("key"), "permissions": `["ViewNeuron"]`,
		"is_active": 1, "created_at": 1749722400,
	}, differing)
}

func (s *sourceDB) session(t *testing.T, differing values) {
	t.Helper()
	s.row(t, "sessions", values{
		"id": numbered(201), "user_id": numbered(1), "token_hash": hashOf("token"), "expires_at": 4102444800, "created_at": 1749722400,
	}, differing)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func user(t *testing.T, st model.Store, name string) model.User {
	t.Helper()
	u, err := st.UserGetByUsername(t.Context(), model.UserGetByUsernameParams{Username: name})
	if err != nil {
		t.Fatalf("user %q: %v", name, err)
	}
	return u
}

func apiKey(t *testing.T, st model.Store, hash string) model.APIKey {
	t.Helper()
	k, err := st.APIKeyGetByHash(t.Context(), model.APIKeyGetByHashParams{KeyHash: hash})
	if err != nil {
		t.Fatalf("key %q: %v", hash, err)
	}
	return k
}

// details returns what is kept of a user's accounts, by entity and id.
func details(t *testing.T, st model.Store, owner uuid.UUID) map[string]model.JSON {
	t.Helper()
	list, err := st.LegacyDetailListByUser(t.Context(), model.LegacyDetailListByUserParams{UserID: owner, PageLimit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]model.JSON{}
	for _, d := range list {
		kept[d.Entity+" "+d.ID.String()] = d.Details
	}
	return kept
}
