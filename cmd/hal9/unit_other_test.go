//go:build unix && !linux

package main

// restrict is for Linux alone.
func restrict() {}
