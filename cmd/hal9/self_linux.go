package main

// self is this program, even when another version has taken its place on the disk.
func self() string { return "/proc/self/exe" }
