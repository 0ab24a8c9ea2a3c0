// Package bench measures what the gateway costs: a round trip and a large
// reply against a bare TCP splice between the same manager and device, side by
// side in one run, a storm of calls against a bare client, and the memory of an
// idle device. All of these, and the simulated devices, are processes of their
// own, as in the field.
package bench

import (
	"fmt"
	"os"
	"testing"

	"callhome-gateway/tests/harness"
)

func TestMain(m *testing.M) {
	if north := os.Getenv(northVariable); north != "" {
		fmt.Fprintln(os.Stderr, splice(os.Getenv(southVariable), north, os.Getenv(tlsVariable)))
		os.Exit(1)
	}
	if address := os.Getenv(bareVariable); address != "" {
		fmt.Fprintln(os.Stderr, bareClient(address, os.Getenv(bareKindVariable)))
		os.Exit(1)
	}
	harness.Main(m)
}
