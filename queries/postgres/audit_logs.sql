-- name: AuditInsert :exec
-- AuditInsert notes a privileged act.
INSERT INTO audit_log (id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at)
VALUES (@id, @user_id, @action, @resource_type, @resource_id, @details, @ip_address, @user_agent, @created_at);

-- name: AuditList :many
-- AuditList returns the log, the newest entry first, after the cursor
-- (cursor_created_at, cursor_id) and not before since; where they are given, of one
-- user, action, resource type and resource id alone.
-- read: replica
SELECT id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at
FROM audit_log
WHERE (created_at, id) < (@cursor_created_at::timestamptz, @cursor_id::uuid)
  AND CASE WHEN sqlc.narg('user_id')::uuid IS NULL THEN true ELSE user_id = sqlc.narg('user_id')::uuid END
  AND created_at >= @since::timestamptz
  AND CASE WHEN sqlc.narg('action')::text IS NULL THEN true ELSE action = sqlc.narg('action')::text END
  AND CASE WHEN sqlc.narg('resource_type')::text IS NULL THEN true ELSE resource_type = sqlc.narg('resource_type')::text END
  AND CASE WHEN sqlc.narg('resource_id')::text IS NULL THEN true ELSE resource_id = sqlc.narg('resource_id')::text END
ORDER BY created_at DESC, id DESC
LIMIT @page_limit::bigint;

-- name: AuditDeleteOld :execrows
-- AuditDeleteOld removes up to page_limit entries older than the given moment.
DELETE FROM audit_log
WHERE id IN (
    SELECT a.id
    FROM audit_log AS a
    WHERE a.created_at < @older_than
    ORDER BY a.created_at, a.id
    LIMIT @page_limit::bigint
);

-- name: AuditImport :execrows
-- AuditImport stores an entry that another database held, unless the id is there
-- already; it returns the number of rows written.
INSERT INTO audit_log (id, user_id, action, resource_type, resource_id, details, ip_address, user_agent, created_at)
VALUES (@id, @user_id, @action, @resource_type, @resource_id, @details, @ip_address, @user_agent, @created_at)
ON CONFLICT (id) DO NOTHING;

-- name: AuditListStoredIDs :many
-- AuditListStoredIDs returns those of the given ids, a JSON array of strings, that are
-- stored.
SELECT id
FROM audit_log
WHERE id = ANY (ARRAY(SELECT CAST(wanted AS uuid) FROM jsonb_array_elements_text(@ids::jsonb) AS wanted))
ORDER BY id;
