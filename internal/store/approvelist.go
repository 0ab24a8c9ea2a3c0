package store

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"callhome-gateway/auth"

	"golang.org/x/crypto/ssh"
)

// The bounds of a list of devices to approve.
const (
	maxApprovals      = 100_000
	maxApprovalLine   = 16 << 10 // the largest RSA key has 2 KiB
	maxApprovalFaults = 20       // that are told
)

// ListedApproval is one line of a list of devices that are approved before
// they call for the first time.
type ListedApproval struct {
	Line int
	// Identity has no type where the line has only the fingerprint of a host key.
	Identity auth.Identity
	Name     string
	// User names the user entry to log in with; empty means the callhome-users.
	User string
}

// ReadApprovals reads a list. Each line has a fingerprint, as ssh-keygen -l
// (after the type of the key, or without) or openssl x509 -fingerprint -sha256
// prints it, or the two words of a public host key; then the name of the device
// and, if it is not to be logged in to with the callhome-users, that of a user
// entry. Empty lines, and what follows a "#" at the begin of a word, mean nothing.
// The error says what is wrong with each line.
func ReadApprovals(r io.Reader) (list []ListedApproval, err error) {
	var faults lineFaults
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxApprovalLine)
	n := 1
	for ; lines.Scan(); n++ {
		words := strings.Fields(strings.TrimPrefix(lines.Text(), "\ufeff")) // as Windows begins files
		for i, word := range words {
			if strings.HasPrefix(word, "#") {
				words = words[:i]
				break
			}
		}
		if len(words) == 0 {
			continue
		}
		a, err := approvalOf(words)
		if a.Line = n; err != nil {
			faults.add(n, err)
		}
		if list = append(list, a); len(list) > maxApprovals {
			return nil, fmt.Errorf("there are more than %d devices: split the list", maxApprovals)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", n, err)
	}
	return list, faults.err()
}

func approvalOf(words []string) (a ListedApproval, err error) {
	if a.Identity, words, err = identityOf(words); err != nil {
		return a, err
	}
	switch len(words) {
	case 0:
		return a, fmt.Errorf("the name of the device is missing: a line is FINGERPRINT NAME [USER]")
	case 1, 2:
	default:
		return a, fmt.Errorf("%.80q is one word too many: a line is FINGERPRINT NAME [USER]", words[2])
	}
	if len(words) == 2 {
		if a.User = words[1]; !auth.ValidName(a.User) {
			return a, fmt.Errorf("%.80q is no name of a user entry", a.User)
		}
	}
	a.Name, err = cleanName(words[0])
	return a, err
}

// identityOf reads a fingerprint or a key, and returns what follows.
func identityOf(words []string) (id auth.Identity, rest []string, err error) {
	if len(words) > 1 && strings.HasPrefix(words[1], "AAAA") { // as all keys begin
		key, err := base64.StdEncoding.DecodeString(words[1])
		if err != nil {
			return id, nil, fmt.Errorf("%.80q is no whole public key", words[0])
		}
		public, err := ssh.ParsePublicKey(key)
		if err != nil || public.Type() != words[0] {
			return id, nil, fmt.Errorf("%.80q is followed by no public key of that type", words[0])
		}
		if _, certificate := public.(*ssh.Certificate); certificate {
			return id, nil, errors.New("this is a certificate: give the plain public key")
		}
		return auth.SSHIdentity(public), words[2:], nil
	}
	if slices.Contains(auth.HostKeyTypes(), words[0]) && len(words) > 1 {
		fingerprint, err := auth.ParseSSHFingerprint(words[1])
		return auth.Identity{Type: words[0], Fingerprint: fingerprint}, words[2:], err
	}
	for n := range min(2, len(words)) { // "sha256 Fingerprint=…" is two words
		if id, whole := wholeFingerprint(strings.Join(words[:n+1], " ")); whole {
			return id, words[n+1:], nil
		}
	}
	return auth.Identity{}, nil, fmt.Errorf("%.80q is no fingerprint: give the whole one, as ssh-keygen -l or openssl x509 -fingerprint -sha256 prints it, or a public key", words[0])
}

// wholeFingerprint reads one of a host key, whose type it does not tell, or of a
// certificate.
func wholeFingerprint(s string) (id auth.Identity, whole bool) {
	if fingerprint, err := auth.ParseSSHFingerprint(s); err == nil {
		return auth.Identity{Fingerprint: fingerprint}, true
	}
	fingerprint, err := auth.ParseCertificateFingerprint(s)
	return auth.Identity{Type: auth.TypeCertificate, Fingerprint: fingerprint}, err == nil
}

// ApproveAll makes all of the list known devices, or none of them: in one step,
// so that it is quick for thousands. A device that is known under the name
// already gets the user entry of its line, if there is one. It returns the
// devices in the order of the list. The error says what is wrong with each line,
// and wraps those of auth: a name may not be another device's, nor may a device
// have another name.
func (s *Store) ApproveAll(list []ListedApproval) ([]auth.Device, error) {
	s.change.Lock()
	defer s.change.Unlock()
	var (
		faults  lineFaults
		devices []auth.Device
		changes []change
	)
	named, listed := map[string]int{}, map[string]int{} // the lines
	for _, a := range list {
		d, err := s.listed(a)
		id := a.Identity.Fingerprint
		switch {
		case err != nil:
		case listed[id] != 0:
			err = fmt.Errorf("%s is in line %d as well", id, listed[id])
		case named[d.Name] != 0:
			err = fmt.Errorf("%w: %s is in line %d as well", auth.ErrNameTaken, d.Name, named[d.Name])
		}
		if err != nil {
			faults.add(a.Line, err)
			continue
		}
		listed[id], named[d.Name] = a.Line, a.Line
		put, err := encodeDevice(d)
		if err != nil {
			return nil, err
		}
		devices, changes = append(devices, d), append(changes, put, change{table: pendingTable, key: id})
	}
	if err := faults.err(); err != nil {
		return nil, fmt.Errorf("no device was approved: %w", err)
	}
	err := s.commit(changes, func() {
		for _, d := range devices {
			s.putDeviceLocked(d)
			s.dropPendingLocked(d.Identity.Fingerprint)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("approving %d devices: %w", len(devices), err)
	}
	for _, d := range devices {
		delete(s.pendingOnDisk, d.Identity.Fingerprint)
	}
	return devices, nil
}

// listed returns the device as it is once its line is approved.
func (s *Store) listed(a ListedApproval) (auth.Device, error) {
	d := auth.Device{Name: a.Name, Identity: a.Identity}
	if known, ok := s.Approved(a.Identity); ok {
		d = known
	}
	p := Approval{Name: a.Name, User: a.User}
	switch {
	case a.Identity.Digest() == nil:
		return d, fmt.Errorf("%.80q is no whole fingerprint", a.Identity.Fingerprint)
	case !strings.EqualFold(d.Name, a.Name):
		return d, fmt.Errorf("%w: %s is %s already: give it the other name with \"callhome-gateway device rename\"", auth.ErrNameTaken, d.Identity, d.Name)
	}
	d, err := p.of(d)
	if err == nil {
		err = s.nameFree(d)
	}
	return d, err
}

// lineFaults are what is wrong with a list.
type lineFaults struct {
	told  []error
	count int
}

func (f *lineFaults) add(line int, err error) {
	if f.count++; f.count <= maxApprovalFaults {
		f.told = append(f.told, fmt.Errorf("line %d: %w", line, err))
	}
}

func (f *lineFaults) err() error {
	if f.count > len(f.told) {
		return errors.Join(append(f.told, fmt.Errorf("and %d lines more", f.count-len(f.told)))...)
	}
	return errors.Join(f.told...)
}
