-- name: AuditInsert :exec
INSERT INTO audit_log (id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at)
VALUES (@id, @user_id, @action, @resource_type, @resource_id, @details, @ip_address, @user_agent, @created_at);

-- name: AuditList :many
-- read: replica
SELECT id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at
FROM audit_log
WHERE (created_at, id) < (CAST(@cursor_created_at AS DATETIME), +CAST(@cursor_id AS UUID_TEXT))
  AND (user_id = sqlc.narg('user_id') OR sqlc.narg('user_id') IS NULL)
  AND created_at >= CAST(@since AS DATETIME)
  AND (action = sqlc.narg('action') OR sqlc.narg('action') IS NULL)
  AND (resource_type = sqlc.narg('resource_type') OR sqlc.narg('resource_type') IS NULL)
  AND (resource_id = sqlc.narg('resource_id') OR sqlc.narg('resource_id') IS NULL)
ORDER BY created_at DESC, id DESC
LIMIT @page_limit;

-- name: AuditDeleteOld :execrows
DELETE FROM audit_log
WHERE id IN (
    SELECT a.id
    FROM audit_log AS a
    WHERE a.created_at < @older_than
    ORDER BY a.created_at, a.id
    LIMIT @page_limit
);

-- name: AuditImport :execrows
INSERT INTO audit_log (id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at)
VALUES (@id, @user_id, @action, @resource_type, @resource_id, @details, @ip_address, @user_agent, @created_at)
ON CONFLICT (id) DO NOTHING;

-- name: AuditListStoredIDs :many
SELECT id
FROM audit_log
WHERE id IN (SELECT value FROM json_each(CAST(@ids AS JSON_TEXT)))
ORDER BY id;
