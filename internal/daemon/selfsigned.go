package daemon

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"callhome-gateway/internal/config"
)

const (
	// selfSignedFile has the certificate and its key in one file: a crash leaves
	// both or neither.
	selfSignedFile = "tls_server.pem"
	selfSignedName = "callhome-gateway"
)

// noExpiry is the date of a certificate that has none (RFC 5280 section 4.1.2.5).
var noExpiry = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// selfSigned returns the certificate that the gateway has made itself, which is
// kept in dir: managers pin it, so it must not change. If it is not for the
// domain it is made anew, for the same key.
func selfSigned(dir, domain string) (*tls.Certificate, error) {
	path := filepath.Join(dir, selfSignedFile)
	pair, err := config.LoadPair(path, path)
	if err == nil && covers(pair.Leaf, domain) {
		return pair, nil
	}
	var key crypto.Signer
	switch {
	case err == nil:
		key = pair.PrivateKey.(crypto.Signer)
	case !missing(path):
		return nil, fmt.Errorf("the certificate of the TLS endpoints: %w; to get a new one, which all managers will notice, move the file away", err)
	default:
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	if pair, err = makeSelfSigned(path, key, domain); err != nil {
		return nil, fmt.Errorf("making a certificate for the TLS endpoints: %w", err)
	}
	return pair, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// covers reports whether the certificate is for the devices in the domain, if
// there is one.
func covers(cert *x509.Certificate, domain string) bool {
	return domain == "" || cert.VerifyHostname("device."+domain) == nil
}

func makeSelfSigned(path string, key crypto.Signer, domain string) (*tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: selfSignedName},
		DNSNames:              []string{selfSignedName},
		NotBefore:             time.Now().Add(-24 * time.Hour), // clocks of managers differ
		NotAfter:              noExpiry,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if domain != "" {
		template.DNSNames = append(template.DNSNames, domain, "*."+domain)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: cert}, {Type: "PRIVATE KEY", Bytes: der}} {
		if err := pem.Encode(&text, block); err != nil {
			return nil, err
		}
	}
	if err := writeWhole(path, text.Bytes()); err != nil {
		return nil, err
	}
	return config.LoadPair(path, path)
}
