package main

import (
	"strings"

	"github.com/hal9-ai/hal9/internal/config"
)

// CLI is the root of the command line. A command is a struct with a Run(*Globals)
// error method in a file of its own and a field here; one that reads the
// configuration embeds Settings, and has its line in settings.
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
	Audit       AuditCmd       `cmd:"" help:"Look at what was done."`
	Loadtest    LoadtestCmd    `cmd:"" help:"Put a server under load, and judge its answers."`
	OpenAPI     OpenAPICmd     `cmd:"" name:"openapi" help:"Write the OpenAPI document of the API."`
	HashWorker  HashWorkerCmd  `cmd:"" name:"hash-worker" help:"Compute password hashes for a server, which starts it."`
	Metrics     MetricsCmd     `cmd:"" help:"Describe what a server tells at /metrics."`
	Completion  CompletionCmd  `cmd:"" help:"Write a script that completes commands in a shell."`
	Commands    CommandsCmd    `cmd:"" help:"Write the reference of all commands as Markdown."`
	Version     VersionCmd     `cmd:"" help:"Show the version."`
}

// settingsOf is where a command keeps its flags of the configuration, and the sections
// and keys that it takes, all if there are none: a flag without effect is not offered.
type settingsOf struct {
	command  string // without "hal9"
	settings *Settings
	takes    []string
}

func (c *CLI) settings() []settingsOf {
	all := []settingsOf{
		{"config print", &c.Config.Print.Settings, nil},
		{"config check", &c.Config.Check.Settings, nil},
		{"healthcheck", &c.Healthcheck.Settings, []string{"server.listen"}},
		{"serve", &c.Serve.Settings, []string{
			"server", "database", "cache", "signals", "neurons", "ingest", "idempotency", "auth", "limits", "audit", "metrics", "tracing", "upkeep", "log", "stream",
		}},
		{"partitions drop", &c.Partitions.Drop.Settings, []string{"database.url", "database.admin_url", "cache"}},
		{"partitions detach", &c.Partitions.Detach.Settings, []string{"database.url", "database.admin_url", "cache"}},
		{"partitions attach", &c.Partitions.Attach.Settings, []string{"database.url", "database.admin_url", "cache"}},
		{"partitions ensure", &c.Partitions.Ensure.Settings, []string{"database.url", "database.admin_url", "database.partitions_ahead"}},
		{"signals load", &c.Signals.Load.Settings, []string{"database", "cache", "signals", "ingest"}},
		{"backup", &c.Backup.Settings, []string{"database.url"}},
		{"copy", &c.Copy.Settings, []string{"database.url"}},
	}
	for command, s := range map[string]*Settings{
		"migrate up": &c.Migrate.Up.Settings, "migrate down": &c.Migrate.Down.Settings,
		"migrate status": &c.Migrate.Status.Settings, "migrate redo": &c.Migrate.Redo.Settings,
		"migrate grant":   &c.Migrate.Grant.Settings,
		"partitions list": &c.Partitions.List.Settings,
		"export":          &c.Export.Settings, "restore": &c.Restore.Settings,
		"fence on": &c.Fence.On.Settings, "fence off": &c.Fence.Off.Settings, "fence status": &c.Fence.Status.Settings,
	} {
		all = append(all, settingsOf{command, s, []string{"database.url", "database.admin_url"}})
	}
	for command, s := range map[string]*Settings{
		"import": &c.Import.Settings, "admin create-key": &c.Admin.CreateKey.Settings, "loadtest seed": &c.Loadtest.Seed.Settings,
		"cache invalidate": &c.Cache.Invalidate.Settings, "cache stats": &c.Cache.Stats.Settings,
		"cache get": &c.Cache.Get.Settings, "cache drop": &c.Cache.Drop.Settings,
		"user create": &c.User.Create.Settings, "user list": &c.User.List.Settings, "user show": &c.User.Show.Settings,
		"user set-role": &c.User.SetRole.Settings, "user set-password": &c.User.SetPassword.Settings,
		"user activate": &c.User.Activate.Settings, "user deactivate": &c.User.Deactivate.Settings, "user delete": &c.User.Delete.Settings,
		"apikey create": &c.APIKey.Create.Settings, "apikey list": &c.APIKey.List.Settings,
		"audit list":    &c.Audit.List.Settings,
		"apikey revoke": &c.APIKey.Revoke.Settings, "apikey delete": &c.APIKey.Delete.Settings,
	} {
		all = append(all, settingsOf{command, s, []string{"database", "cache"}}) // running servers hear of what they write
	}
	return all
}

// newCLI returns a CLI whose commands take all their flags.
func newCLI() *CLI {
	var c CLI
	keys := config.Keys()
	for _, of := range c.settings() {
		*of.settings = newSettings(keys, of.takes...)
	}
	return &c
}

// newCLIFor is newCLI for one command line. Only the commands that it may name have
// their flags: a thousand flags that it cannot use took most of the start.
func newCLIFor(args []string) *CLI {
	var c CLI
	keys := config.Keys()
	for _, of := range c.settings() {
		if mayName(args, of.command) {
			*of.settings = newSettings(keys, of.takes...)
		}
	}
	return &c
}

// mayName tells whether the words of a command stand in a command line in their order.
func mayName(args []string, command string) bool {
	words := strings.Fields(command)
	for _, arg := range args {
		if len(words) > 0 && arg == words[0] {
			words = words[1:]
		}
	}
	return len(words) == 0
}

const description = `A data service for HAL9: signals, neurons and memories over HTTP,
kept in PostgreSQL or SQLite.

Settings are flags of the commands that use them, --set KEY=VALUE for any key,
environment variables (HAL9_…) or keys of a YAML file; 'hal9 config print' shows them all.

Exit codes: 0 success, 1 failure, 2 wrong usage or configuration,
3 a dependency cannot be reached, 4 migrations are pending.`
