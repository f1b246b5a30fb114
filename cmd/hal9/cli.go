package main

// CLI is the root of the command line. A command is a struct with a Run(*Globals)
// error method in a file of its own and a field here; one that reads the
// configuration embeds Settings, filled in newCLI.
type CLI struct {
	Config      ConfigCmd      `cmd:"" help:"Show, check or describe the configuration."`
	Healthcheck HealthcheckCmd `cmd:"" help:"Ask a running server whether it is ready."`
	Serve       ServeCmd       `cmd:"" help:"Serve the API."`
	Migrate     MigrateCmd     `cmd:"" help:"Bring the schema of the database up or down."`
	Partitions  PartitionsCmd  `cmd:"" help:"Look after the months of the signals."`
	Signals     SignalsCmd     `cmd:"" help:"Load signals from files."`
	Import      ImportCmd      `cmd:"" help:"Import a database of the original HAL9 server."`
	Backup      BackupCmd      `cmd:"" help:"Copy an SQLite database while it is in use."`
	Restore     RestoreCmd     `cmd:"" help:"Put a backup or an export in place."`
	Copy        CopyCmd        `cmd:"" help:"Copy a database into another one, of either engine."`
	Export      ExportCmd      `cmd:"" help:"Write a database into a file that either engine restores."`
	Fence       FenceCmd       `cmd:"" help:"Hold off all who write to a database."`
	Cache       CacheCmd       `cmd:"" help:"Look after what is cached."`
	Admin       AdminCmd       `cmd:"" help:"Get into a deployment, or back into it."`
	User        UserCmd        `cmd:"" help:"Make, show and change users."`
	APIKey      APIKeyCmd      `cmd:"" name:"apikey" help:"Make, show and revoke API keys."`
	Loadtest    LoadtestCmd    `cmd:"" help:"Put a server under load, and judge its answers."`
	OpenAPI     OpenAPICmd     `cmd:"" name:"openapi" help:"Write the OpenAPI document of the API."`
	Metrics     MetricsCmd     `cmd:"" help:"Describe what a server tells at /metrics."`
	Completion  CompletionCmd  `cmd:"" help:"Write a script that completes commands in a shell."`
	Commands    CommandsCmd    `cmd:"" help:"Write the reference of all commands as Markdown."`
	Version     VersionCmd     `cmd:"" help:"Show the version."`
}

// newCLI returns a CLI whose commands take the flags of the sections that they
// use: a flag without effect is not offered.
func newCLI() *CLI {
	var c CLI
	c.Config.Print.Settings = newSettings()
	c.Config.Check.Settings = newSettings()
	c.Healthcheck.Settings = newSettings("server.listen")
	c.Serve.Settings = newSettings("server", "database", "cache", "signals", "neurons", "ingest", "idempotency", "auth", "limits", "audit", "metrics", "tracing", "upkeep", "log")
	for _, s := range []*Settings{
		&c.Migrate.Up.Settings, &c.Migrate.Down.Settings, &c.Migrate.Status.Settings, &c.Migrate.Redo.Settings,
		&c.Partitions.List.Settings,
	} {
		*s = newSettings("database.url", "database.admin_url")
	}
	c.Partitions.Drop.Settings = newSettings("database.url", "database.admin_url", "cache")
	c.Signals.Load.Settings = newSettings("database", "cache", "signals", "ingest")
	c.Partitions.Ensure.Settings = newSettings("database.url", "database.admin_url", "database.partitions_ahead")
	c.Backup.Settings = newSettings("database.url")
	c.Copy.Settings = newSettings("database.url")
	for _, s := range []*Settings{&c.Export.Settings, &c.Restore.Settings, &c.Fence.On.Settings, &c.Fence.Off.Settings, &c.Fence.Status.Settings} {
		*s = newSettings("database.url", "database.admin_url")
	}
	for _, s := range []*Settings{
		&c.Import.Settings, &c.Cache.Invalidate.Settings, &c.Cache.Stats.Settings, &c.Cache.Get.Settings, &c.Cache.Drop.Settings, &c.Admin.CreateKey.Settings,
		&c.User.Create.Settings, &c.User.List.Settings, &c.User.Show.Settings, &c.User.SetRole.Settings,
		&c.User.SetPassword.Settings, &c.User.Activate.Settings, &c.User.Deactivate.Settings, &c.User.Delete.Settings,
		&c.Loadtest.Seed.Settings,
		&c.APIKey.Create.Settings, &c.APIKey.List.Settings, &c.APIKey.Revoke.Settings, &c.APIKey.Delete.Settings,
	} {
		*s = newSettings("database", "cache") // running servers hear of what they write
	}
	return &c
}

const description = `A data service for HAL9: signals, neurons and memories over HTTP,
kept in PostgreSQL or SQLite.

Settings are flags of the commands that use them, environment variables
(HAL9_…) or keys of a YAML file; 'hal9 config print' shows them all.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration,
3 a dependency cannot be reached, 4 migrations are pending.`
