package main

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/internal/devicesim"

	"github.com/spf13/pflag"
)

// tlsFlags are the flags about TLS as they were given.
type tlsFlags struct {
	on                 bool
	certificate        string
	key                string
	caCertificate      string
	caKey              string
	clientCA           string
	clientFingerprints []string
	min                string
	max                string
}

func (f *tlsFlags) register(set *pflag.FlagSet) {
	set.BoolVar(&f.on, "tls", false, "speak NETCONF over TLS instead of SSH")
	set.StringVar(&f.certificate, "certificate", "", "TLS: certificate `FILE` of the device (default: a new self-signed one)")
	set.StringVar(&f.key, "key", "", "TLS: private key `FILE` of --certificate")
	set.StringVar(&f.caCertificate, "ca-certificate", "", "TLS: `FILE` of a CA that signs a certificate for each device")
	set.StringVar(&f.caKey, "ca-key", "", "TLS: private key `FILE` of --ca-certificate")
	set.StringVar(&f.clientCA, "client-ca", "", "TLS: `FILE` of the CAs whose certificates log in")
	set.StringArrayVar(&f.clientFingerprints, "client-fingerprint", nil, "TLS: SHA-256 `FINGERPRINT` of a certificate that logs in (repeatable)")
	set.StringVar(&f.min, "tls-min", "1.2", "TLS: lowest version, 1.2 or 1.3")
	set.StringVar(&f.max, "tls-max", "1.3", "TLS: highest version, 1.2 or 1.3")
}

var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// check reports the first setting that makes no sense.
func (f *tlsFlags) check() error {
	switch {
	case !f.on && f.any():
		return errors.New("certificates and CAs are for devices with --tls")
	case !f.on:
		return nil
	case f.clientCA == "" && len(f.clientFingerprints) == 0:
		return errors.New("nobody could log in: give --client-ca or --client-fingerprint")
	case (f.certificate == "") != (f.key == ""):
		return errors.New("--certificate and --key go together")
	case (f.caCertificate == "") != (f.caKey == ""):
		return errors.New("--ca-certificate and --ca-key go together")
	case f.certificate != "" && f.caCertificate != "":
		return errors.New("--certificate is there already: --ca-certificate has nothing to sign")
	case tlsVersions[f.min] == 0 || tlsVersions[f.max] == 0:
		return errors.New("--tls-min and --tls-max are 1.2 or 1.3")
	}
	return nil
}

// any reports whether a file or fingerprint was given.
func (f *tlsFlags) any() bool {
	return len(f.clientFingerprints) > 0 ||
		slices.ContainsFunc([]string{f.certificate, f.key, f.caCertificate, f.caKey, f.clientCA}, func(s string) bool { return s != "" })
}

// options reads the files. It returns nil for devices without TLS.
func (f *tlsFlags) options() (*devicesim.TLS, error) {
	if !f.on {
		return nil, nil
	}
	t := &devicesim.TLS{MinVersion: tlsVersions[f.min], MaxVersion: tlsVersions[f.max]}
	for _, s := range f.clientFingerprints {
		known, err := fingerprint(s)
		if err != nil {
			return nil, usageError{err}
		}
		t.Clients = append(t.Clients, known)
	}
	return t, f.readFiles(t)
}

func (f *tlsFlags) readFiles(t *devicesim.TLS) error {
	if f.certificate != "" {
		pair, err := readPair(f.certificate, f.key)
		if err != nil {
			return err
		}
		t.Certificate = pair
	}
	if f.caCertificate != "" {
		pair, err := readPair(f.caCertificate, f.caKey)
		if err != nil {
			return err
		}
		t.Issuer = &pair
	}
	if f.clientCA != "" {
		text, err := readFile(f.clientCA)
		if err != nil {
			return fmt.Errorf("read client CAs: %w", err)
		}
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("client CAs %s: there is no certificate in it", f.clientCA)
		}
	}
	return nil
}

// readPair reads a certificate, with its chain, and its key.
func readPair(certificate, key string) (tls.Certificate, error) {
	chain, err := readFile(certificate)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read certificate: %w", err)
	}
	secret, err := readFile(key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, secret)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate %s with key %s: %w", certificate, key, err)
	}
	return pair, nil
}

// fingerprint brings a fingerprint into the form that devicesim has, with or
// without its "SHA256:", in either case.
func fingerprint(s string) (string, error) {
	digits := strings.TrimPrefix(strings.ToUpper(s), "SHA256:")
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return "", fmt.Errorf("--client-fingerprint %q is no SHA-256 fingerprint of a certificate", s)
	}
	return "SHA256:" + strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":"), nil
}
