package callhome

import (
	"slices"
	"strings"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// allowOld is what to do about a device that has nothing better.
const allowOld = "set legacy_algorithms = true on its session or user entry if it cannot be upgraded"

// allowsLegacy reports whether the entry or its user allows old algorithms.
func (e *Entry) allowsLegacy() bool {
	return e.LegacyAlgorithms || e.User != nil && e.User.LegacyAlgorithms
}

func allowsLegacy(user *auth.User) bool { return user.LegacyAlgorithms }

// offersLegacy reports whether one of the devices that this may be is allowed
// old algorithms. They are offered last: only a device that has nothing better
// takes them.
func (s *rules) offersLegacy(p *plan, matching []*Entry) bool {
	return allowsLegacy(p.user) || p.listener.outlook.legacy || slices.ContainsFunc(matching, (*Entry).allowsLegacy) || slices.ContainsFunc(p.users, allowsLegacy)
}

// withOldAlgorithms returns those of the users that may be used with what the
// device agrees on, or rejects a device that none of them allows that to.
func (b *binding) withOldAlgorithms(users []*auth.User, proved proof) ([]*auth.User, *rejection) {
	if len(proved.old) == 0 || b.entry != nil && b.entry.LegacyAlgorithms {
		return users, nil
	}
	allowing := those(users, allowsLegacy)
	if len(allowing) == 0 && len(users) > 0 {
		return nil, reject(FailedHandshake, "%s agrees on old algorithms only (%s), which it is not allowed: %s", b.name, strings.Join(proved.old, ", "), allowOld)
	}
	return allowing, nil
}

// mayUseLegacy reports whether the gateway may sign with SHA-1 itself.
func (b *binding) mayUseLegacy() bool {
	return b.user.LegacyAlgorithms || b.entry != nil && b.entry.LegacyAlgorithms
}

// signers returns the keys to log in with. x/crypto signs with RSA and SHA-1
// where a device does not say that it knows better (server-sig-algs of RFC
// 8308): such a key is offered only where that is allowed.
func (b *binding) signers() []ssh.Signer {
	if b.mayUseLegacy() {
		return b.user.Keys
	}
	var signers []ssh.Signer
	for _, key := range b.user.Keys {
		if signer := withoutSHA1(key); signer != nil {
			signers = append(signers, signer)
		}
	}
	return signers
}

// withoutSHA1 returns the key for signatures with SHA-2, or nil where it knows
// only SHA-1.
func withoutSHA1(key ssh.Signer) ssh.Signer {
	if !isRSA(key) {
		return key
	}
	signer, ok := key.(ssh.AlgorithmSigner)
	if !ok {
		return nil
	}
	var modern []string
	for _, algorithm := range []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256} {
		multi, choosy := key.(ssh.MultiAlgorithmSigner)
		if !choosy || slices.Contains(multi.Algorithms(), algorithm) {
			modern = append(modern, algorithm)
		}
	}
	limited, err := ssh.NewSignerWithAlgorithms(signer, modern)
	if err != nil {
		return nil
	}
	return limited
}

func isRSA(key ssh.Signer) bool {
	public := key.PublicKey()
	if cert, ok := public.(*ssh.Certificate); ok {
		public = cert.Key
	}
	return public.Type() == ssh.KeyAlgoRSA
}

// weakKeyHint says why a device may have refused a user entry whose keys it
// would take.
func (b *binding) weakKeyHint() string {
	if len(b.user.Keys) == 0 || b.mayUseLegacy() || slices.ContainsFunc(b.user.Keys, func(key ssh.Signer) bool { return !isRSA(key) }) {
		return ""
	}
	return "; a device that takes RSA keys with SHA-1 only needs legacy_algorithms = true, or a key of another type"
}
