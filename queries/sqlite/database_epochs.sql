-- name: DatabaseEpochGet :one
SELECT epoch
FROM database_epoch
WHERE id = 1;

-- name: DatabaseEpochBump :one
UPDATE database_epoch
SET epoch = max(epoch + 1, CAST(@updated_at AS DATETIME) / 1000000), updated_at = @updated_at
WHERE id = 1
RETURNING epoch;
