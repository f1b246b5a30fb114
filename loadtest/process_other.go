//go:build !unix

package loadtest

import "time"

// checkFiles does nothing: there is no such limit to ask for.
func checkFiles(int) error { return nil }

// processCPU is not known here.
func processCPU() time.Duration { return 0 }
