package callhome

import (
	"testing"

	"callhome-gateway/auth"
)

// A certificate that is renewed during a connection is for the same key.
func TestARekeyShowsTheSameKey(t *testing.T) {
	ca, key := newSigner(t), newSigner(t)
	l := &login{phase: phaseLogin, identity: auth.SSHIdentity(key.PublicKey())}
	for _, proved := range []proof{hostProof(key.PublicKey()), certifyKey(t, key, ca, nil, "old"), certifyKey(t, key, ca, nil, "new")} {
		if err := l.checkRekey(proved); err != nil {
			t.Errorf("%s: %v", proved, err)
		}
	}
	if l.checkRekey(certifyKey(t, newSigner(t), ca, nil, "old")) == nil {
		t.Error("another key under the same name was taken")
	}
}
