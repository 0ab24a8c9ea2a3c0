package daemon

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheOwnCertificateIsKeptAndIsForTheDomain(t *testing.T) {
	dir := t.TempDir()
	first, err := selfSigned(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := selfSigned(dir, ""); err != nil || !bytes.Equal(again.Certificate[0], first.Certificate[0]) {
		t.Errorf("at the next start another one: %v", err)
	}
	domain, err := selfSigned(dir, "gw.example.net")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{selfSignedName, "gw.example.net", "edge-1.gw.example.net"} {
		if err := domain.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Equal(domain.Leaf.RawSubjectPublicKeyInfo, first.Leaf.RawSubjectPublicKeyInfo) {
		t.Error("it has another key: managers that pin it must be told")
	}
	if again, err := selfSigned(dir, "gw.example.net"); err != nil || !bytes.Equal(again.Certificate[0], domain.Certificate[0]) {
		t.Errorf("at the next start another one: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, selfSignedFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestABrokenOwnCertificateIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, selfSignedFile), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := selfSigned(dir, ""); err == nil || !strings.Contains(err.Error(), "move the file away") {
		t.Errorf("error %v", err)
	}
}
