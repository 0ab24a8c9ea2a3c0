package callhome

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// The fields that a Junos device (outbound-ssh) sends in lines of their own
// before its SSH version line. The last two are there where it has a secret.
const (
	fieldMessage = "MSG-ID"
	fieldVersion = "MSG-VER"
	fieldDevice  = "DEVICE-ID"
	fieldKey     = "HOST-KEY"
	fieldHMAC    = "HMAC"
)

var junosFields = []string{fieldMessage, fieldVersion, fieldDevice, fieldKey, fieldHMAC}

const maxDeviceID = 255

// claim is what a device says of itself before SSH starts. The zero value is
// that of a device which says nothing.
type claim struct {
	deviceID string
	// hostKey is the key that the device says it will show, and mac its
	// HMAC-SHA1 over keyText, the key as the device wrote it. All three or none
	// are there. The deviceID is not covered by it.
	hostKey auth.Identity
	keyText []byte
	mac     []byte
	// foreign is what looked like a claim and is not of the kind that we know.
	foreign string
}

// madeWith reports whether the device has the secret, or has heard one that does.
func (c claim) madeWith(secret auth.Secret) bool {
	mac := hmac.New(sha1.New, []byte(secret.Reveal()))
	mac.Write(c.keyText)
	return hmac.Equal(mac.Sum(nil), c.mac)
}

// parseClaim finds the claim in the lines before the SSH version line. Lines of
// another kind may stand between its own, whose order is free. What is no such
// message, or one of an unknown version, is a banner like any other: the device
// may still be known by its key.
func parseClaim(preamble []byte) (claim, error) {
	fields, twice := claimFields(preamble)
	message, version, id := fields[fieldMessage], fields[fieldVersion], fields[fieldDevice]
	switch {
	case message == "":
		return claim{}, nil
	case message != "DEVICE-CONN-INFO":
		return claim{foreign: fieldMessage + " " + Quote(message)}, nil
	case version != "V1" && version != "":
		return claim{foreign: fieldVersion + " " + Quote(version)}, nil
	case twice != "":
		return claim{}, fmt.Errorf("two lines begin with %s", twice)
	case version == "" || id == "":
		return claim{}, fmt.Errorf("there is no %s or no %s with a value", fieldVersion, fieldDevice)
	case len(id) > maxDeviceID:
		return claim{}, fmt.Errorf("the %s has more than %d bytes: %s", fieldDevice, maxDeviceID, Quote(id))
	}
	c := claim{deviceID: id}
	if err := c.parseKey(fields[fieldKey], fields[fieldHMAC]); err != nil {
		return claim{}, err
	}
	return c, nil
}

// claimFields returns the values by field, and the name of a field that is
// there more than once, if any.
func claimFields(preamble []byte) (fields map[string]string, twice string) {
	fields = make(map[string]string)
	for line := range bytes.Lines(preamble) {
		name, value, _ := strings.Cut(string(withoutEnd(line)), ":")
		if !slices.Contains(junosFields, name) {
			continue
		}
		if _, again := fields[name]; again {
			twice = name
			continue
		}
		if fields[name] = strings.TrimLeft(value, " \t"); name != fieldKey { // it is taken as it was sent
			fields[name] = strings.TrimSpace(value)
		}
	}
	return fields, twice
}

// withoutEnd cuts off the end of a line, and the NULs which some releases end
// the HOST-KEY with: the HMAC is computed without them.
func withoutEnd(line []byte) []byte {
	line = bytes.TrimRight(line, "\r\n")
	if bytes.HasPrefix(line, []byte(fieldKey+":")) {
		line = bytes.TrimRight(line, "\x00")
	}
	return line
}

// isBinary reports whether there are NULs in what shall be lines of text.
func isBinary(preamble []byte) bool {
	for line := range bytes.Lines(preamble) {
		if bytes.IndexByte(withoutEnd(line), 0) >= 0 {
			return true
		}
	}
	return false
}

// validDeviceID reports whether a device could call itself so.
func validDeviceID(id string) bool {
	return len(id) <= maxDeviceID && id == strings.TrimSpace(id) && !strings.ContainsAny(id, "\r\n\x00")
}

func (c *claim) parseKey(text, mac string) (err error) {
	switch {
	case text == "" && mac == "":
		return nil
	case text == "":
		return fmt.Errorf("there is an %s, but no %s", fieldHMAC, fieldKey)
	case mac == "":
		return fmt.Errorf("there is a %s, but no %s", fieldKey, fieldHMAC)
	}
	if c.mac, err = hex.DecodeString(mac); err != nil || len(c.mac) != sha1.Size {
		return fmt.Errorf("the %s is not one of %d hex digits", fieldHMAC, 2*sha1.Size)
	}
	c.keyText = []byte(text)
	c.hostKey, err = parseHostKey(text)
	return err
}

// parseHostKey reads a key of a type that devices are asked for, as in an
// authorized_keys file.
func parseHostKey(text string) (auth.Identity, error) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return auth.Identity{}, fmt.Errorf("the %s is not a type and a key: %s", fieldKey, Quote(text))
	}
	if !slices.Contains(hostKeyTypes, words[0]) {
		return auth.Identity{}, fmt.Errorf("the %s is of the type %s, which the gateway does not take", fieldKey, Quote(words[0]))
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		return auth.Identity{}, fmt.Errorf("the %s is no base64", fieldKey)
	}
	key, err := ssh.ParsePublicKey(blob)
	if err != nil || key.Type() != words[0] {
		return auth.Identity{}, fmt.Errorf("the %s is no key of the type %s", fieldKey, words[0])
	}
	return auth.SSHIdentity(key), nil
}
