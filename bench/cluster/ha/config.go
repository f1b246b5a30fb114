package ha

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed haproxy.cfg.tmpl
var haproxyText string

//go:embed patroni.yml.tmpl
var patroniText string

var (
	haproxyTemplate = template.Must(template.New("haproxy.cfg").Parse(haproxyText))
	patroniTemplate = template.Must(template.New("patroni.yml").Parse(patroniText))
)

// Endpoint is a server behind HAProxy; Port is where its health is asked, if that is
// another.
type Endpoint struct {
	Name, Address string
	Port          int
}

// ProxyConfig is what differs between one HAProxy and another. All are addresses.
type ProxyConfig struct {
	API, Primary, Replicas, Stats string
	Servers, Nodes                []Endpoint
}

// Text is the configuration file.
func (c ProxyConfig) Text() (string, error) { return render(haproxyTemplate, c) }

// PatroniConfig is what differs between one node and another.
type PatroniConfig struct {
	Name, REST, Etcd, Address  string
	Data, Bin, PgPass, Socket  string
	SharedBuffers              string
	MaxConnections             int
	Synchronous, Strict, Trust bool
	HBA                        []string
	Callback                   string
	Statements                 bool // loads pg_stat_statements
}

// Text is the configuration file.
func (c PatroniConfig) Text() (string, error) { return render(patroniTemplate, c) }

func render(t *template.Template, data any) (string, error) {
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("write %s: %w", t.Name(), err)
	}
	return b.String(), nil
}
