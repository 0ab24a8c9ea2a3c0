package callhome

import (
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestHuntAsksForOtherTypesButLeavesNoneOut(t *testing.T) {
	h := newHunts()
	h.miss("edge-1", ssh.KeyAlgoED25519)
	types := h.types("edge-1")
	if types[0] != ssh.KeyAlgoECDSA256 || types[len(types)-1] != ssh.KeyAlgoED25519 || len(types) != len(hostKeyTypes) {
		t.Errorf("after a miss: %v", types)
	}
	if !slices.Equal(h.types("edge-2"), hostKeyTypes) {
		t.Error("another entry is concerned")
	}
	h.hit("edge-1", ssh.KeyAlgoRSA)
	h.miss("edge-1", ssh.KeyAlgoRSA) // a neighbour's
	if types := h.types("edge-1"); types[0] != ssh.KeyAlgoRSA || len(types) != len(hostKeyTypes) {
		t.Errorf("after a hit: %v", types)
	}
}
