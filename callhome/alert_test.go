package callhome

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
)

func TestAlertsThatRefuseACertificate(t *testing.T) {
	for _, tt := range []struct {
		alert   byte
		refuses bool
	}{
		{0, false}, {10, false}, {40, true}, {42, true}, {46, true}, {47, false}, {48, true}, {49, true}, {70, false}, {80, false}, {116, true}, {200, false},
	} {
		err := fmt.Errorf("no valid hello: %w", readAlert(t, tt.alert))
		if alert := alertOf(err); tt.alert != 0 && alert != tls.AlertError(tt.alert) {
			t.Errorf("%v is taken for the alert %d", err, alert)
		}
		if refusesCertificate(err) != tt.refuses {
			t.Errorf("alert %d: refuses %t", tt.alert, !tt.refuses)
		}
	}
	for _, err := range []error{io.EOF, &net.OpError{Op: "read", Err: errors.New("tls: bad certificate")}} {
		if alertOf(err) != 0 {
			t.Errorf("%v is taken for an alert", err)
		}
	}
}

// readAlert returns what crypto/tls makes of an alert.
func readAlert(t *testing.T, alert byte) error {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		defer theirs.Close()
		_, _ = theirs.Write(tlsRecord(recordAlert, []byte{2, alert}))
	}()
	conn := tls.Client(writeless{ours}, &tls.Config{InsecureSkipVerify: true})
	return conn.Handshake()
}

// writeless takes what is written and forgets it.
type writeless struct{ net.Conn }

func (writeless) Write(p []byte) (int, error) { return len(p), nil }
