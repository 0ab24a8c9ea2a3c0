// Package tests holds the end-to-end tests: the gateway with devices and
// managers that were not written for it. See the harness for how they run.
package tests

import (
	"testing"

	"callhome-gateway/tests/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
