// Package loadtest puts a server under the load of virtual users, and judges what it
// answers. It knows the server by HTTP alone.
//
// A Scenario tells what users do: journeys of calls with checks, how often each is
// taken, how many users there are at which time, and the thresholds that the whole is
// held to. Run plays it and returns a Report.
//
// Two things decide whether the figures are worth anything. The client is written on
// sockets, since net/http spends more on a request than this service does, and would
// take the processor from the server that it measures. And users who wait for an answer
// do not ask meanwhile: what a slow moment hid is put back by the correction that
// histogram.go describes.
package loadtest
