-- name: DatabaseEpochGet :one
-- DatabaseEpochGet returns the epoch that every cache key bears.
SELECT epoch
FROM database_epoch
WHERE id = 1;

-- name: DatabaseEpochBump :one
-- DatabaseEpochBump puts everything that was cached out of reach, and returns the new epoch.
UPDATE database_epoch
SET epoch = epoch + 1, updated_at = @updated_at
WHERE id = 1
RETURNING epoch;
