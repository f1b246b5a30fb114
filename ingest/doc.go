// Package ingest is the one door through which signals enter: it stores them,
// answers after the commit, and keeps the figures about them, for this server and
// for the neurons that they go to and come from.
//
// # What the figures mean
//
// A submission is accepted when it comes to Submit or SubmitMany. It ends as one of
// committed (stored by this submission), duplicate (the same signal was stored
// before; a success that stores nothing) or failed (refused or not stored); until
// then it is under way. Stats counts them since the start of the server, and never
// counts the table.
//
// # The neurons' activity
//
// Counting a signal at its neuron within its own transaction would make all signals
// to one neuron wait for each other. So the counts are gathered here and added once
// a second and at Close. A server that is killed loses those of its last second, and
// an addition whose outcome is unknown, such as one that timed out, is tried again
// and may count twice; NeuronActivityRecount sets a neuron right.
package ingest
