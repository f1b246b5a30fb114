// Package telemetry tells what the service does to those who look after it: metrics of
// the queries by name, and traces by OpenTelemetry.
package telemetry
