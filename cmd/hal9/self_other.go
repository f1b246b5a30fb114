//go:build !linux

package main

import "os"

// self is this program; "" if that is not known.
func self() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	return program
}
