-- name: UpkeepLeaseAcquire :execrows
INSERT INTO upkeep_leases (name, holder, renewed_at, expires_at)
VALUES (@name, @holder, @renewed_at, @expires_at)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
WHERE upkeep_leases.holder = excluded.holder OR upkeep_leases.expires_at <= excluded.renewed_at;

-- name: UpkeepLeaseGet :one
SELECT name, holder, renewed_at, expires_at
FROM upkeep_leases
WHERE name = @name;

-- name: UpkeepLeaseRelease :execrows
DELETE FROM upkeep_leases
WHERE name = @name AND holder = @holder;
