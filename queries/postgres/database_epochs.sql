-- name: DatabaseEpochGet :one
-- DatabaseEpochGet returns the epoch that every cache key bears.
SELECT epoch
FROM database_epoch
WHERE id = 1;

-- name: DatabaseEpochBump :one
-- DatabaseEpochBump puts everything that was cached out of reach, and returns the new
-- epoch: one more, or the seconds since 1970 if they are more. So two databases that
-- were restored from one backup do not come to the same epoch.
UPDATE database_epoch
SET epoch = greatest(epoch + 1, floor(extract(epoch FROM @updated_at::timestamptz))::bigint), updated_at = @updated_at::timestamptz
WHERE id = 1
RETURNING epoch;
