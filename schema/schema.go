// Package schema holds the migrations of each engine and runs them.
//
// The files are ordinary goose migrations, so that goose's own command can run
// them too. This package adds what a deployment needs around them: a lock that
// keeps migrators apart on both engines, a dry run that prints the SQL, and a
// check by which a server tells whether the database fits it.
package schema

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var embedded embed.FS

// Engine names a database engine, and the folder that holds its migrations.
type Engine string

// The engines.
const (
	Postgres Engine = "postgres"
	SQLite   Engine = "sqlite"
)

// Files returns the embedded migrations of an engine.
func Files(engine Engine) (fs.FS, error) {
	files, err := fs.Sub(embedded, string(engine))
	if err != nil {
		return nil, fmt.Errorf("find the migrations of %q: %w", engine, err)
	}
	return files, nil
}

// Latest returns the version that a fully migrated database has.
func Latest(engine Engine) (int64, error) {
	all, err := loadEmbedded(engine)
	if err != nil {
		return 0, err
	}
	return latest(all), nil
}

func loadEmbedded(engine Engine) ([]migration, error) {
	files, err := Files(engine)
	if err != nil {
		return nil, err
	}
	return load(files)
}
