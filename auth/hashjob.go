package auth

import (
	"context"
	"encoding/json"
	"fmt"
)

// HashJob is one password to hash, or to hold against a stored hash. It can be computed
// where the Service is, by Run, or in another process, which reads and writes JSON.
type HashJob struct {
	// Do is hashNew, hashArgon2 or hashBcrypt.
	Do       string `json:"do"`
	Password []byte `json:"password"`
	// Stored is the hash that the password may belong to.
	Stored string `json:"stored,omitempty"`
	// Argon2 are the parameters of new hashes.
	Argon2 Argon2 `json:"argon2"`
}

// HashResult is what became of a HashJob.
type HashResult struct {
	// Hash is the new hash of hashNew.
	Hash string `json:"hash,omitempty"`
	// Matches tells whether the password belongs to the stored hash, Old whether that
	// should be made anew.
	Matches bool `json:"matches,omitempty"`
	Old     bool `json:"old,omitempty"`
	// Problem is what another process could not understand.
	Problem string `json:"problem,omitempty"`
}

// HashFunc computes hashes somewhere. *BusyError says that it cannot at present.
type HashFunc func(ctx context.Context, job HashJob) (HashResult, error)

// What a job asks for.
const (
	hashNew    = "hash"
	hashArgon2 = "verify-" + algorithmArgon2
	hashBcrypt = "verify-" + algorithmBcrypt
)

// Run computes the hash: some tens of milliseconds of a core.
func (j *HashJob) Run() HashResult {
	password := string(j.Password)
	switch j.Do {
	case hashNew:
		return HashResult{Hash: j.Argon2.hash(password)}
	case hashArgon2:
		matches, old := j.Argon2.verifyArgon2(j.Stored, password)
		return HashResult{Matches: matches, Old: old}
	case hashBcrypt:
		return HashResult{Matches: verifyBcrypt(j.Stored, password), Old: true}
	default:
		return HashResult{Problem: fmt.Sprintf("%q is no job", j.Do)}
	}
}

// HashHere computes a hash in this process.
func HashHere(_ context.Context, job HashJob) (HashResult, error) { return job.Run(), nil }

// HashThere computes hashes by what answers the bytes of AnswerHash in another process.
func HashThere(ask func(ctx context.Context, request []byte) ([]byte, error)) HashFunc {
	return func(ctx context.Context, job HashJob) (HashResult, error) {
		var result HashResult
		request, err := json.Marshal(job) //nolint:gosec // to a process of our own, by a pipe
		if err != nil {
			return result, fmt.Errorf("ask for a hash: %w", err)
		}
		answer, err := ask(ctx, request)
		if err != nil {
			return result, err
		}
		if err := json.Unmarshal(answer, &result); err != nil {
			return result, fmt.Errorf("read a hash: %w", err)
		}
		if result.Problem != "" {
			return result, fmt.Errorf("ask for a hash: %s", result.Problem)
		}
		return result, nil
	}
}

// AnswerHash computes the hash that HashThere asks for. Nothing of the request is in an
// error.
func AnswerHash(request []byte) []byte {
	var job HashJob
	result := HashResult{Problem: "the job is no JSON of a HashJob"}
	if json.Unmarshal(request, &job) == nil {
		result = job.Run()
	}
	answer, err := json.Marshal(result)
	if err != nil {
		return nil // none of its fields can fail
	}
	return answer
}
