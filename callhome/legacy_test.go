package callhome

import (
	"crypto/rand"
	"crypto/rsa"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

func rsaSigner(t testing.TB) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return signerWith(t, key, err)
}

func TestOldAlgorithmsAreOfferedLastAndOnlyWhereOneMayNeedThem(t *testing.T) {
	old := &auth.User{Name: "old", Username: "netconf", Password: "x", LegacyAlgorithms: true}
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	at := func(host string) netip.Prefix { return netip.MustParsePrefix("192.0.2." + host + "/32") }
	pin := func(name string) []auth.Identity { return []auth.Identity{testIdentity(name)} }
	entries := []Entry{
		{Name: "modern", Address: at("1"), User: fleet},
		{Name: "by-user", Address: at("2"), User: old},
		{Name: "by-entry", Address: at("3"), User: fleet, LegacyAlgorithms: true},
		{Name: "other-listener", Pins: pin("other"), Listener: "other", LegacyAlgorithms: true},
	}
	anywhere := Entry{Name: "anywhere", Pins: pin("anywhere"), User: fleet, LegacyAlgorithms: true}
	for _, tt := range []struct {
		name, from string
		more       *Entry
		users      []*auth.User
		want       bool
	}{
		{"an entry that does not allow it", "192.0.2.1", nil, nil, false},
		{"the user of the entry", "192.0.2.2", nil, nil, true},
		{"the entry", "192.0.2.3", nil, nil, true},
		{"an entry without an address", "192.0.2.1", &anywhere, nil, true},
		{"no callhome-user", "198.51.100.1", nil, []*auth.User{fleet}, false},
		{"the second callhome-user", "198.51.100.1", nil, []*auth.User{fleet, old}, true},
	} {
		o := Options{Entries: slices.Clone(entries), Users: tt.users, Memory: &memory{}}
		if tt.more != nil {
			o.Entries = append(o.Entries, *tt.more)
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		c := planSSH(t, s, netip.MustParseAddr(tt.from)).sshConfig()
		for _, list := range [][]string{c.KeyExchanges, c.HostKeyAlgorithms, c.Ciphers, c.MACs} {
			first := slices.IndexFunc(list, func(a string) bool { return slices.Contains(oldAlgorithms, a) })
			if (first >= 0) != tt.want || first >= 0 && len(oldOf(list[first:])) != len(list)-first {
				t.Errorf("%s: %v", tt.name, list)
			}
		}
	}
}

func TestWhoMayUseOldAlgorithms(t *testing.T) {
	old := &auth.User{Name: "old", Username: "netconf", Password: "x", LegacyAlgorithms: true}
	fleet := &auth.User{Name: "fleet", Username: "netconf", Password: "x"}
	modern, byUser, byEntry, approved := testIdentity("modern"), testIdentity("user"), testIdentity("entry"), testIdentity("approved")
	agreed := []string{ssh.KeyAlgoRSA, ssh.InsecureKeyExchangeDH14SHA1}
	for _, tt := range []struct {
		name   string
		id     auth.Identity
		old    []string
		users  []*auth.User
		device string
		user   string // "" = rejected
	}{
		{"not allowed", modern, agreed, nil, "modern", ""},
		{"not allowed, but it has better", modern, nil, nil, "modern", "fleet"},
		{"its user allows it", byUser, agreed, nil, "by-user", "old"},
		{"its entry allows it", byEntry, agreed, nil, "by-entry", "fleet"},
		{"a callhome-user that allows it", approved, agreed, []*auth.User{fleet, old}, "approved", "old"},
		{"the first callhome-user, where it is not needed", approved, nil, []*auth.User{fleet, old}, "approved", "fleet"},
		{"no callhome-user allows it", approved, agreed, []*auth.User{fleet}, "approved", ""},
	} {
		s, err := New(Options{Users: tt.users, Memory: &memory{devices: []auth.Device{{Name: "approved", Identity: approved}}}, Entries: []Entry{
			{Name: "modern", Pins: []auth.Identity{modern}, User: fleet},
			{Name: "by-user", Pins: []auth.Identity{byUser}, User: old},
			{Name: "by-entry", Pins: []auth.Identity{byEntry}, User: fleet, LegacyAlgorithms: true},
		}})
		if err != nil {
			t.Fatal(err)
		}
		b, r := s.bind(planSSH(t, s, addrA), proof{identity: tt.id, old: tt.old})
		switch {
		case b.name != tt.device:
			t.Errorf("%s: device %q", tt.name, b.name)
		case tt.user == "" && (r == nil || r.reason != FailedHandshake || !strings.Contains(r.detail, "ssh-rsa, diffie-hellman-group14-sha1") || !strings.Contains(r.detail, "legacy_algorithms = true")):
			t.Errorf("%s: %v", tt.name, r)
		case tt.user != "" && (r != nil || b.user.Name != tt.user):
			t.Errorf("%s: user %v, rejected: %v", tt.name, b.user, r)
		}
	}
}

func TestTheGatewaySignsWithSHA1OnlyWhereItMay(t *testing.T) {
	ed, two := newSigner(t), rsaSigner(t)
	onlyOld, err := ssh.NewSignerWithAlgorithms(rsaSigner(t).(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	user := &auth.User{Name: "fleet", Keys: []ssh.Signer{ed, two, onlyOld}}
	b := &binding{user: user}
	signers := b.signers()
	if len(signers) != 2 || signers[0] != ed {
		t.Fatalf("signers %v", signers)
	}
	if algorithms := signers[1].(ssh.MultiAlgorithmSigner).Algorithms(); !slices.Equal(algorithms, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}) {
		t.Errorf("it signs with %v", algorithms)
	}
	b.entry = &Entry{LegacyAlgorithms: true}
	if !slices.Equal(b.signers(), user.Keys) {
		t.Errorf("where it may: %v", b.signers())
	}
}
