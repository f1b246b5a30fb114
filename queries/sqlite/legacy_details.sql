-- name: LegacyDetailImport :execrows
INSERT INTO legacy_details (entity, id, user_id, details, created_at)
VALUES (@entity, @id, @user_id, @details, @created_at)
ON CONFLICT (entity, id) DO NOTHING;

-- name: LegacyDetailListByUser :many
SELECT entity, id, user_id, details, created_at
FROM legacy_details
WHERE user_id = @user_id
ORDER BY entity, id
LIMIT @page_limit;
