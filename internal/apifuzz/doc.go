// Package apifuzz asks two servers the same random questions and wants the same answers.
//
// Requests are derived from the OpenAPI document: for every operation valid ones, from the
// schemas of its parameters and its body, and broken ones. Ids, cursors, tokens and ETags
// come from earlier answers; where the servers made different ones, each is sent its own.
// Answers must have the same status, headers and body, apart from what a server makes up:
// such values must stand at the same places, and pair off one to one. Every answer must be
// as the document describes it, and none may be a 5xx.
//
// A run follows from its seed alone. What fails is shortened by leaving requests out, and
// told as curl commands.
package apifuzz
