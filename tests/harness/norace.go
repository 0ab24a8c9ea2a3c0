//go:build !race

package harness

// RaceEnabled says whether the tests, and the gateway with them, look for data
// races, which takes time and memory.
const RaceEnabled = false
