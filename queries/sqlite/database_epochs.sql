-- name: DatabaseEpochGet :one
SELECT epoch
FROM database_epoch
WHERE id = 1;

-- name: DatabaseEpochBump :one
-- differs: SET, because moments are microseconds since 1970 here
UPDATE database_epoch
SET epoch = max(epoch + 1, CAST(@updated_at AS DATETIME) / 1000000), updated_at = @updated_at
WHERE id = 1
RETURNING epoch;
