package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callhome-gateway/internal/devicesim"
)

// TestCallsHomeOverTLS runs the command with a certificate from files, and
// with ones that it makes: the fingerprint that is printed is that of the
// certificate that the device shows, and the client's certificate logs in.
func TestCallsHomeOverTLS(t *testing.T) {
	client, clientFile := writeClient(t)
	device, deviceFile, deviceKey := writeCertificate(t, "edge")
	_, caFile, caKey := writeCertificate(t, "ca")
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"files", []string{"--client-ca", clientFile, "--certificate", deviceFile, "--key", deviceKey},
			devicesim.FingerprintCertificate(device.Certificate[0])},
		{"self-signed", []string{"--client-fingerprint", strings.ToLower(devicesim.FingerprintCertificate(client.Certificate[0]))}, ""},
		{"issued", []string{"--client-ca", clientFile, "--ca-certificate", caFile, "--ca-key", caKey, "--tls-max", "1.2"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shown, printed := callOverTLS(t, client, tt.args)
			print := devicesim.FingerprintCertificate(shown.Raw)
			if printed != "edge "+print+"\n" || tt.want != "" && print != tt.want {
				t.Errorf("printed %q, shown %s, want %s", printed, print, tt.want)
			}
			if shown.Subject.CommonName != "edge" {
				t.Errorf("the subject is %s", shown.Subject)
			}
		})
	}
}

// callOverTLS runs the command until it has called and let the client in. It
// returns the certificate that the device showed, and what was printed.
func callOverTLS(t *testing.T, client tls.Certificate, args []string) (*x509.Certificate, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var stdout bytes.Buffer
	var status int
	var wg sync.WaitGroup
	args = append([]string{"--connect", l.Addr().String(), "--name", "edge", "--tls", "--log-level", "off"}, args...)
	wg.Go(func() { status = run(args, &stdout, io.Discard) })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &client, nil }})
	if _, err := c.Read(make([]byte, 1)); err != nil { // of the hello
		t.Error(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil { // run has set up its handler
		t.Fatal(err)
	}
	wg.Wait()
	if status != exitOK {
		t.Errorf("exit status %d after SIGTERM", status)
	}
	return c.ConnectionState().PeerCertificates[0], stdout.String()
}

// writeClient makes a certificate that may log in, and the file of it.
func writeClient(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, writePEM(t, "client.pem", "CERTIFICATE", der)
}

// writeCertificate makes a device's certificate, and the files of it and of
// its key.
func writeCertificate(t *testing.T, name string) (c tls.Certificate, file, key string) {
	t.Helper()
	c, err := devicesim.GenerateCertificate(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return c, writePEM(t, name+".pem", "CERTIFICATE", c.Certificate[0]), writePEM(t, name+".key", "PRIVATE KEY", der)
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
