package config

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/gateway"
	"callhome-gateway/internal/audit"

	"golang.org/x/crypto/ssh"
)

var update = flag.Bool("update", false, "write the golden files")

var testEnv = map[string]string{
	"PASSWORD": "hunter2",
	"SECRET":   "hunter2 hunter2 hunter2",
	"EMPTY":    "",
	"OLD_USER": "admin",
	"PORT":     "830",
	"BINARY":   "\xff",
	"HASH":     "$2a$12$WHxo9lB7op1.Cl01auWkJuQs4.96aWX1xlomMRO/P4kcZ0PoBF2nq",
}

func testGetenv(name string) (string, bool) {
	value, ok := testEnv[name]
	return value, ok
}

// inTestdata changes to a copy of testdata with the modes that a repository
// does not keep, and with fresh keys. It returns the path of the golden files.
func inTestdata(t *testing.T) (golden string) {
	t.Helper()
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, err := filepath.Glob("testdata/*.hcl")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.Base(f)), src)
	}
	t.Chdir(dir)
	writeKeys(t)
	return golden
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// keyFiles are made once, by the first test: encrypting one takes a while.
var keyFiles map[string][]byte

func writeKeys(t *testing.T) {
	t.Helper()
	if keyFiles == nil {
		keyFiles = newKeyFiles(t)
	}
	if err := os.Mkdir("keys", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range keyFiles {
		write(t, filepath.Join("keys", name), content)
	}
	for name, mode := range map[string]os.FileMode{"exposed": 0o644, "hook": 0o700, "hook-of-all": 0o777} {
		if err := os.Chmod(filepath.Join("keys", name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("open", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("open", 0o777); err != nil {
		t.Fatal(err)
	}
	writePKI(t)
}

func newKeyFiles(t *testing.T) map[string][]byte {
	t.Helper()
	plain, public := newKey(t, "")
	other, _ := newKey(t, "")
	encrypted, _ := newKey(t, "correct horse")
	return map[string][]byte{
		"plain": plain, "plain.pub": public, "other": other, "encrypted": encrypted, "exposed": plain,
		"rsa":    newRSAKey(t),
		"broken": append(plain[:60:60], "\n-----END OPENSSH PRIVATE KEY-----\n"...),
		"hook":   []byte("#!/bin/sh\n"), "hook-of-all": []byte("#!/bin/sh\n"),
		"putty":           []byte("PuTTY-User-Key-File-3: ssh-ed25519\n"),
		"large":           bytes.Repeat([]byte("x"), maxFile+1),
		"binary":          {0xff, 0xfe},
		"password":        []byte("hunter2\n"),
		"secret":          []byte("hunter2 hunter2 hunter2\n"),
		"passphrase":      []byte("correct horse\r\n"),
		"certificate.pub": newCertificate(t),
		"authorized_keys": slices.Concat([]byte("# two\n\n"), public, public),
	}
}

func newKey(t *testing.T, passphrase string) (private, public []byte) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(publicKey(t, pub))
}

func publicKey(t *testing.T, key any) ssh.PublicKey {
	t.Helper()
	public, err := ssh.NewPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func newRSAKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func newCertificate(t *testing.T) []byte {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &ssh.Certificate{Key: publicKey(t, pub), CertType: ssh.UserCert}
	if err := c.SignCert(rand.Reader, signer); err != nil {
		t.Fatal(err)
	}
	return ssh.MarshalAuthorizedKey(c)
}

// TestProblems compares what is said about every file in testdata with the
// golden file next to it.
func TestProblems(t *testing.T) {
	golden := inTestdata(t)
	files, _ := filepath.Glob("*.hcl")
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".hcl"), func(t *testing.T) {
			c, p := Load(file, Options{Getenv: testGetenv})
			checkKind(t, file, c, p)
			var got bytes.Buffer
			if err := p.Print(&got, false, 80); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"hunter2", "correct horse", "$2a$"} {
				if strings.Contains(got.String()+p.Error(), secret) {
					t.Errorf("the problems show the secret %q", secret)
				}
			}
			compare(t, filepath.Join(golden, strings.TrimSuffix(file, ".hcl")+".golden"), got.Bytes())
		})
	}
}

func checkKind(t *testing.T, file string, c *Config, p *Problems) {
	t.Helper()
	kind, _, _ := strings.Cut(file, "-")
	if (c == nil) != p.HasErrors() {
		t.Errorf("config is %v, errors: %v", c, p.HasErrors())
	}
	if got := map[bool]string{true: "invalid", false: "warning"}[p.HasErrors()]; len(p.list) > 0 && got != kind {
		t.Errorf("a file of kind %s is of kind %s", kind, got)
	}
	if len(p.list) == 0 && kind != "valid" {
		t.Error("no problem was found")
	}
}

func compare(t *testing.T, golden string, got []byte) {
	t.Helper()
	if len(got) == 0 {
		return
	}
	if *update {
		write(t, golden, got)
		return
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoadMinimal(t *testing.T) {
	inTestdata(t)
	c, p := Load("valid-minimal.hcl", Options{Getenv: testGetenv})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	if c.StateDir != DefaultStateDir || c.Enabled {
		t.Errorf("state_dir %q, enabled %v", c.StateDir, c.Enabled)
	}
	if c.Callhome.Main.Address != netip.MustParseAddr("0.0.0.0") || c.Callhome.Main.Port != 4334 || c.Callhome.Trust != auth.TrustApprove {
		t.Errorf("callhome: %+v", c.Callhome)
	}
	if c.Gateway.Address != netip.MustParseAddr("127.0.0.1") || c.Gateway.Port != 830 || c.Gateway.HostKeys != nil {
		t.Errorf("gateway: %+v", c.Gateway)
	}
	if c.Log != (Log{Level: "info", Format: "text"}) {
		t.Errorf("log: %+v", c.Log)
	}
	if c.DrainTimeout != 30*time.Second || c.DrainRate != 500 || c.Gateway.IdleClose != 0 || c.Audit.File != "" {
		t.Errorf("drain: %s, %d a second; idle_close: %s; audit: %+v", c.DrainTimeout, c.DrainRate, c.Gateway.IdleClose, c.Audit)
	}
}

// TestLoadFull loads a file with every option, from another directory.
func TestLoadFull(t *testing.T) {
	inTestdata(t)
	if err := os.Mkdir("etc", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"valid-full.hcl", "keys", "pki"} {
		if err := os.Rename(name, filepath.Join("etc", name)); err != nil {
			t.Fatal(err)
		}
	}
	c, p := Load("etc/valid-full.hcl", Options{Getenv: testGetenv})
	if len(p.list) > 0 {
		t.Fatal(p)
	}
	for name, check := range map[string]func(*testing.T, *Config){
		"callhome": checkCallhome, "listeners": checkListeners, "users": checkUsers, "sessions": checkSessions, "gateway": checkGateway, "tls": checkTLS, "audit": checkAudit,
	} {
		t.Run(name, func(t *testing.T) { check(t, c) })
	}
}

func checkCallhome(t *testing.T, c *Config) {
	ch := c.Callhome
	if !c.Enabled || ch.Main.Port != 0 || ch.Main.Address != netip.MustParseAddr("127.0.0.1") || ch.Trust != auth.TrustPinned || !ch.ReplyLiveness {
		t.Errorf("callhome: %+v", ch)
	}
	if ch.RejectDelay >= 0 || ch.FailureTTL >= 0 || ch.IdleRPC >= 0 {
		t.Errorf("0s is not never: %s %s %s", ch.RejectDelay, ch.FailureTTL, ch.IdleRPC)
	}
	if ch.KeepaliveInterval != 10*time.Second || ch.DeadAfter != time.Minute {
		t.Errorf("times: %s %s", ch.KeepaliveInterval, ch.DeadAfter)
	}
	if ch.MaxHandshakes != 1 || ch.MaxHandshakesPerSource != 2 || ch.MaxCalls != 3 || ch.MaxHeld != 4 {
		t.Errorf("bounds: %+v", ch)
	}
	if ch.Sources.V4Bits != 24 || ch.Sources.V6Bits != 48 || len(ch.Sources.Exempt) != 1 {
		t.Errorf("sources: %+v", ch.Sources)
	}
	if h := ch.Hook; !slices.Equal(h.Command, []string{"etc/keys/hook", "--fleet", ""}) || h.URL != nil || h.Timeout != 2*time.Second || !h.Continue || h.MaxRunning != 3 {
		t.Errorf("hook: %+v", ch.Hook)
	}
	if c.StateDir != "etc/state" || c.Log != (Log{Level: "debug", Format: "json"}) {
		t.Errorf("state_dir %q, log %+v", c.StateDir, c.Log)
	}
}

// checkListeners: what a listener leaves out is as in the callhome block.
func checkListeners(t *testing.T, c *Config) {
	ch := c.Callhome
	networks := func(list ...string) (parsed []netip.Prefix) {
		for _, s := range list {
			parsed = append(parsed, netip.MustParsePrefix(s))
		}
		return parsed
	}
	main := ch.Main
	if !slices.Equal(main.Networks.Allow, networks("192.0.2.0/24", "2001:db8::1/128")) || !slices.Equal(main.Networks.Deny, networks("192.0.2.66/32")) ||
		!slices.Equal(main.Proxies, networks("192.0.2.100/32")) || main.DeviceSecret.Reveal() != testEnv["SECRET"] || main.Users != nil || main.Trust != nil {
		t.Errorf("main: %+v", main)
	}
	if len(ch.Listeners) != 3 || len(ch.All()) != 4 {
		t.Fatalf("listeners: %+v", ch.Listeners)
	}
	olts := ch.Listeners[0]
	if olts.Name != "olts" || olts.Address != netip.MustParseAddr("127.0.0.2") || olts.Port != 0 || olts.TLSPort != 4435 ||
		len(olts.Users) != 1 || olts.Users[0].Name != "old" || *olts.Trust != auth.TrustApprove ||
		!slices.Equal(olts.Networks.Allow, networks("0.0.0.0/0")) || len(olts.Networks.Deny) != 0 || len(olts.Proxies) != 0 {
		t.Errorf("olts: %+v", olts)
	}
	inherits := ch.Listeners[1]
	if inherits.Address != main.Address || inherits.Port != 4334 || inherits.TLSPort != 0 || inherits.Users != nil || inherits.Trust != nil ||
		!slices.Equal(inherits.Networks.Deny, main.Networks.Deny) || !slices.Equal(inherits.Proxies, main.Proxies) || inherits.DeviceSecret != main.DeviceSecret {
		t.Errorf("as the main one: %+v", inherits)
	}
	if nobody := ch.Listeners[2]; nobody.Users == nil || len(nobody.Users) != 0 {
		t.Errorf("nobody: %+v", nobody)
	}
}

func checkUsers(t *testing.T, c *Config) {
	ch := c.Callhome
	if len(ch.Users) != 3 || ch.Users[0].Name != "fleet" || ch.Users[1] != ch.NamedUsers["old"] {
		t.Fatalf("users: %v", ch.Users)
	}
	fleet := ch.Users[0]
	if fleet.Username != "netconf" || fleet.Password.Reveal() != "hunter2" || len(fleet.Keys) != 3 {
		t.Errorf("fleet: %+v", fleet)
	}
	ca := ch.NamedUsers["certified"].HostCA
	if len(ca.Keys) != 4 || !ca.NamesDevices || ca.NameDomain != "devices.example.net" {
		t.Errorf("host_ca: %+v", ca)
	}
	if old := ch.Users[1]; old.Username != "admin" || old.Password.Reveal() != "hunter2" || old.Keys != nil {
		t.Errorf("old: %+v", old)
	}
}

func checkSessions(t *testing.T, c *Config) {
	entries := c.Callhome.Entries
	if len(entries) != 7 {
		t.Fatalf("%d entries", len(entries))
	}
	e := entries[0]
	if e.Name != "edge-1" || e.Address != netip.MustParsePrefix("192.0.2.10/32") || e.User != c.Callhome.NamedUsers["old"] {
		t.Errorf("edge-1: %+v", e)
	}
	if len(e.Pins) != 3 || e.Pins[2] != (auth.Identity{Type: ssh.KeyAlgoRSA, Fingerprint: "SHA256:C" + strings.Repeat("A", 42)}) || e.Pins[0].Type != "" || e.Pins[1].Type != ssh.KeyAlgoED25519 ||
		e.Pins[1].Fingerprint != "SHA256:qrrXp8eDlsED05Gm6geRFeU2k/rLbr0EG7K8bEBfzEw" {
		t.Errorf("pins: %+v", e.Pins)
	}
	if len(e.Hello.Base) != 1 || len(e.Hello.Capabilities) != 1 {
		t.Errorf("hello: %+v", e.Hello)
	}
	if e := entries[4]; !slices.Equal(e.HostPrincipals, []string{"edge-5.example", "192.0.2.5"}) || e.Listener != "as-the-main-one" {
		t.Errorf("edge-5: %+v", e)
	}
	if e := entries[5]; e.DeviceID != "edge 6" || e.DeviceSecret.Reveal() != testEnv["SECRET"] {
		t.Errorf("edge-6: %+v", e)
	}
	if e := entries[6]; e.DeviceID != "edge-7" || e.DeviceSecret != "" {
		t.Errorf("edge-7: %+v", e)
	}
	if e := entries[1]; e.Address != netip.MustParsePrefix("2001:db8::/64") || len(e.Pins) != 2 || e.User != nil {
		t.Errorf("edge-2: %+v", e)
	}
}

func checkGateway(t *testing.T, c *Config) {
	g := c.Gateway
	if g.Address != netip.MustParseAddr("::") || g.Port != 830 || g.Ports != (gateway.PortRange{First: 20000, Last: 29999}) {
		t.Errorf("listeners: %+v", g)
	}
	if len(g.HostKeys) != 2 || len(g.Devices) != 7 || g.Devices[0] != (gateway.DeviceConfig{Name: "edge-1", Port: 20001, Sessions: gateway.SessionsExclusive, IdleClose: -1}) {
		t.Errorf("%d host keys, devices %+v", len(g.HostKeys), g.Devices)
	}
	if g.Wait != 30*time.Second || g.HelloTimeout != time.Second || g.LoginTimeout != 2*time.Second || g.StallTimeout != 3*time.Second {
		t.Errorf("times: %+v", g)
	}
	if g.IdleClose != 5*time.Minute || g.Devices[1].IdleClose != 0 || g.Devices[3].IdleClose != 90*time.Second {
		t.Errorf("idle_close: %s, devices %+v", g.IdleClose, g.Devices)
	}
	if g.MaxMessage != 64<<10 || g.SpoolBudget != 1<<20 || g.MaxLogins != 5 || g.MaxSessions != 6 {
		t.Errorf("bounds: %+v", g)
	}
	if len(g.Networks.Allow) != 1 || len(g.Networks.Deny) != 1 || len(g.Proxies) != 1 || len(g.UserCAs) != 1 ||
		g.Sources.V4Bits != 16 || g.Sources.V6Bits != 56 || len(g.Sources.Exempt) != 1 {
		t.Errorf("networks: %+v", g)
	}
	if len(g.Managers) != 2 {
		t.Fatalf("managers: %+v", g.Managers)
	}
	if m := g.Managers[1]; !slices.Equal(m.Principals, []string{"noc", "robot"}) {
		t.Errorf("principals: %q", m.Principals)
	}
	if m := g.Managers[0]; m.Principals != nil {
		t.Errorf("principals: %q", m.Principals)
	}
	all := auth.Access{}
	some := auth.Access{ReadOnly: true, Operations: []auth.Operation{
		{Namespace: "urn:ietf:params:xml:ns:netconf:base:1.0", Name: "get-config"}, {Namespace: "urn:ietf:params:xml:ns:yang:ietf-netconf-nmda", Name: "get-data"},
	}}
	if a, b := g.Managers[0].Access, g.Managers[1].Access; !reflect.DeepEqual(a, all) || !reflect.DeepEqual(b, some) {
		t.Errorf("access: %+v, %+v", a, b)
	}
	if m := g.Managers[0]; m.Name != "noc" || m.PasswordHash != testEnv["HASH"] || len(m.AuthorizedKeys) != 3 || len(m.Devices) != 2 {
		t.Errorf("manager: %+v", m)
	}
}

func checkAudit(t *testing.T, c *Config) {
	want := audit.Options{File: "etc/audit.log", BodyLimit: defaultBodyLimit, Redact: []string{"psk", "größe"}, Stop: true}
	if !reflect.DeepEqual(c.Audit, want) {
		t.Errorf("audit: %+v", c.Audit)
	}
	if c.DrainTimeout != 0 || c.DrainRate != 50 {
		t.Errorf("drain: %s, %d a second", c.DrainTimeout, c.DrainRate)
	}
}

// TestOperationsThatTurnOutEmptyAllowNone: what is listed for nobody is not
// allowed to everybody.
func TestOperationsThatTurnOutEmptyAllowNone(t *testing.T) {
	const file = "gateway {\n  port = 830\n}\nmanager \"a\" {\n  password_hash = env(\"HASH\")\n  devices = [\"*\"]\n  operations = [for o in [] : o]\n}\n"
	c, p := load("x.hcl", openFile{content: []byte(file)}, Options{Getenv: testGetenv})
	if c == nil {
		t.Fatal(p)
	}
	if a := c.Gateway.Managers[0].Access; a.Operations == nil || len(a.Operations) > 0 {
		t.Errorf("access: %+v", a)
	}
}

func TestLoadBodies(t *testing.T) {
	inTestdata(t)
	c, p := Load("warning-audit-bodies.hcl", Options{})
	if c == nil {
		t.Fatal(p)
	}
	if want := (audit.Options{File: "audit.log", AllBodies: true, BodyLimit: 64 << 10}); !reflect.DeepEqual(c.Audit, want) {
		t.Errorf("audit: %+v", c.Audit)
	}
}

func TestLoadRefusesTheFile(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "large.hcl", bytes.Repeat([]byte("#"), maxFile+1))
	if err := os.Mkdir("dir.hcl", 0o700); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"missing.hcl": "missing.hcl: error: cannot read missing.hcl: no such file or directory: " + missingHint("missing.hcl"),
		"large.hcl":   "large.hcl: error: cannot read large.hcl: it is larger than 1 MiB",
		"dir.hcl":     "dir.hcl: error: cannot read dir.hcl: it is not a regular file",
	} {
		c, p := Load(file, Options{Offline: true})
		if c != nil || p.Error() != want {
			t.Errorf("%s: %v", file, p)
		}
	}
}

func TestLoadWarnsAboutAFileThatEverybodyCanRead(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "open.hcl", []byte("gateway {\n  port = 830\n}\n"))
	if err := os.Chmod("open.hcl", 0o644); err != nil {
		t.Fatal(err)
	}
	c, p := Load("open.hcl", Options{})
	want := "open.hcl: warning: every user of this machine can read this file: chmod o-rwx open.hcl"
	if c == nil || p.Error() != want {
		t.Errorf("got %v", p)
	}
	if _, p := Load("open.hcl", Options{Offline: true}); len(p.list) > 0 {
		t.Errorf("offline: %v", p)
	}
}

func TestOfflineForgivesWhatAnotherMachineHas(t *testing.T) {
	inTestdata(t)
	for _, file := range []string{"invalid-env-unset.hcl", "invalid-file-missing.hcl", "invalid-user-select-missing.hcl", "invalid-user-select-mode.hcl"} {
		c, p := Load(file, Options{Offline: true, Getenv: testGetenv})
		if c == nil || len(p.list) == 0 {
			t.Errorf("%s: %v", file, p)
		}
	}
}
