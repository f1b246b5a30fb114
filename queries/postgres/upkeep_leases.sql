-- name: UpkeepLeaseAcquire :execrows
-- UpkeepLeaseAcquire takes the lease, or renews it for who holds it; 0 rows say that
-- another holds it, and that it had not expired at renewed_at, which is now.
INSERT INTO upkeep_leases (name, holder, renewed_at, expires_at)
VALUES (@name, @holder, @renewed_at, @expires_at)
ON CONFLICT (name) DO UPDATE
SET holder = excluded.holder, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at
WHERE upkeep_leases.holder = excluded.holder OR upkeep_leases.expires_at <= excluded.renewed_at;

-- name: UpkeepLeaseGet :one
-- UpkeepLeaseGet tells who holds the lease, or held it last.
SELECT name, holder, renewed_at, expires_at
FROM upkeep_leases
WHERE name = @name;

-- name: UpkeepLeaseRelease :execrows
-- UpkeepLeaseRelease gives the lease back, if the holder still has it.
DELETE FROM upkeep_leases
WHERE name = @name AND holder = @holder;
