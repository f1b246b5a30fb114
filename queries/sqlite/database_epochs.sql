-- name: DatabaseEpochGet :one
SELECT epoch
FROM database_epoch
WHERE id = 1;

-- name: DatabaseEpochBump :one
UPDATE database_epoch
SET epoch = epoch + 1, updated_at = @updated_at
WHERE id = 1
RETURNING epoch;
