package store

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// certificateHex are the hex digits of a fingerprint.
func certificateHex(seed string) string {
	sum := sha256.Sum256([]byte(seed))
	return hex.EncodeToString(sum[:])
}

func hostKey(t *testing.T) ssh.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func mustRead(t *testing.T, text string) []ListedApproval {
	t.Helper()
	list, err := ReadApprovals(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestReadApprovals(t *testing.T) {
	digits := certificateHex("c")
	colons, err := auth.ParseCertificateFingerprint(digits)
	if err != nil {
		t.Fatal(err)
	}
	key, bare := hostKey(t), auth.Identity{Fingerprint: identity("one").Fingerprint}
	certificate := auth.Identity{Type: auth.TypeCertificate, Fingerprint: colons}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	for text, want := range map[string]ListedApproval{
		bare.Fingerprint + " edge-1":                         {Identity: bare, Name: "edge-1"},
		bare.Fingerprint + "=\tEdge-1  fleet # the old one":  {Identity: bare, Name: "edge-1", User: "fleet"},
		"ssh-ed25519 " + bare.Fingerprint + " edge-1 fleet":  {Identity: identity("one"), Name: "edge-1", User: "fleet"},
		digits + " edge-1 fleet":                             {Identity: certificate, Name: "edge-1", User: "fleet"},
		colons + " edge-1":                                   {Identity: certificate, Name: "edge-1"},
		"sha256 Fingerprint=" + colons[7:] + " edge-1 fleet": {Identity: certificate, Name: "edge-1", User: "fleet"},
		line + " edge-1":                                     {Identity: auth.SSHIdentity(key), Name: "edge-1"},
		line + " edge-1 fleet\r":                             {Identity: auth.SSHIdentity(key), Name: "edge-1", User: "fleet"},
		"\ufeff" + line + " edge-1":                          {Identity: auth.SSHIdentity(key), Name: "edge-1"},
	} {
		want.Line = 3
		if got := mustRead(t, "# fingerprint name\n\n"+text+"\n"); !slices.Equal(got, []ListedApproval{want}) {
			t.Errorf("%q is read as %+v, want %+v", text, got, want)
		}
	}
}

func TestReadApprovalsSaysWhatIsWrongWithALine(t *testing.T) {
	full := identity("one").Fingerprint
	key := strings.Fields(string(ssh.MarshalAuthorizedKey(hostKey(t))))
	for text, want := range map[string]string{
		full:                              "the name of the device is missing",
		full + " no_name":                 "not a device name",
		full + " edge-1 fleet more":       `"more" is one word too many`,
		full + " edge-1 no/user":          `"no/user" is no name of a user entry`,
		full[:20] + " edge-1":             "give the whole one",
		full[:len(full)-1] + "B edge-1":   "give the whole one", // what base64 cannot end with
		certificateHex("x")[:40] + " x":   "give the whole one",
		"ssh-ed25519 " + full[:20] + " x": "is no fingerprint of an SSH key",
		"edge-1 " + full:                  "give the whole one",
		"MD5:00:11 edge-1":                "give the whole one",
		"ssh-rsa " + key[1] + " edge-1":   "no public key of that type",
		key[0] + " AAAAC3Nz edge-1":       "no public key of that type",
		key[0] + " " + key[1][:9] + " x":  "no whole public key",
	} {
		_, err := ReadApprovals(strings.NewReader("# one\n" + text + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	_, err := ReadApprovals(strings.NewReader(strings.Repeat("x y\n", 1000)))
	if err == nil || strings.Count(err.Error(), "\n") != maxApprovalFaults || !strings.HasSuffix(err.Error(), "and 980 lines more") {
		t.Errorf("of many wrong lines: %v", err)
	}
	if _, err = ReadApprovals(strings.NewReader("\n" + strings.Repeat("x", 2*maxApprovalLine))); err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("a line without end: %v", err)
	}
	if _, err = ReadApprovals(strings.NewReader(strings.Repeat(full+" x\n", maxApprovals+1))); err == nil || !strings.Contains(err.Error(), "split") {
		t.Errorf("too many lines: %v", err)
	}
}

func TestTenThousandDevicesAreApprovedBeforeTheyCall(t *testing.T) {
	const n = 10_000
	var text strings.Builder
	for i := range n {
		fmt.Fprintln(&text, identity(fmt.Sprint(i)).Fingerprint, fmt.Sprint("edge-", i), "fleet")
	}
	dir := stateDir(t)
	s := mustOpen(t, dir)
	call(t, s, "7", "192.0.2.1", "")
	devices, err := s.ApproveAll(mustRead(t, text.String()))
	if err != nil || len(devices) != n || devices[7].Name != "edge-7" {
		t.Fatal(len(devices), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	if d, ok := s.Approved(identity("9999")); !ok || d.Name != "edge-9999" || d.User != "fleet" || len(s.Devices()) != n || len(s.Pending()) != 0 {
		t.Errorf("%d devices, %+v, pending %+v", len(s.Devices()), d, s.Pending())
	}
	if _, err := s.ApproveAll(mustRead(t, text.String())); err != nil {
		t.Errorf("the same once more: %v", err)
	}
}

func TestApproveAllIsForAllOrNone(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	mustPin(t, s, "taken", "owner")
	s.NoteVoucher("issued", identity("ca"))
	good := identity("one").Fingerprint + " edge-1\n"
	for name, c := range map[string]struct {
		line string
		want error
		text string
	}{
		"the name of another":             {identity("two").Fingerprint + " Taken", auth.ErrNameTaken, "taken"},
		"the name of a certificate":       {identity("two").Fingerprint + " issued", auth.ErrNameTaken, ""},
		"a device of another name":        {identity("owner").Fingerprint + " edge-2", auth.ErrNameTaken, "device rename"},
		"a name that is in another line":  {identity("two").Fingerprint + " edge-1", auth.ErrNameTaken, "in line 1"},
		"a device that is in another one": {identity("one").Fingerprint + " edge-2", nil, "in line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.ApproveAll(mustRead(t, good+c.line))
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
			if len(s.Devices()) != 1 {
				t.Errorf("something was approved: %+v", s.Devices())
			}
		})
	}
	if _, err := s.ApproveAll([]ListedApproval{{Line: 1, Name: "edge-1", Identity: auth.Identity{Fingerprint: "SHA256:AAAAAAAA"}}}); err == nil {
		t.Error("half a fingerprint was approved")
	}
	if _, err := s.ApproveAll(mustRead(t, identity("owner").Fingerprint+" taken other")); err != nil || s.Named("taken")[0].User != "other" {
		t.Errorf("%+v %v", s.Devices(), err)
	}
}
