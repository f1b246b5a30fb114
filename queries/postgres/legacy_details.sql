-- name: LegacyDetailImport :execrows
-- LegacyDetailImport keeps what an imported user, session or API key held and has no
-- column here, unless it is kept already; it returns the number of rows written.
-- entity is user, session or api_key, and id that of its row; ErrInvalid names user_id
-- when there is no such user.
INSERT INTO legacy_details (entity, id, user_id, details, created_at)
VALUES (@entity, @id, @user_id, @details, @created_at)
ON CONFLICT (entity, id) DO NOTHING;

-- name: LegacyDetailListByUser :many
-- LegacyDetailListByUser returns what is kept of a user and of the user's sessions and
-- API keys, in order of entity and id.
SELECT entity, id, user_id, details, created_at
FROM legacy_details
WHERE user_id = @user_id
ORDER BY entity, id
LIMIT @page_limit::bigint;
