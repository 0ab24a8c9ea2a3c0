package harness

import (
	"fmt"
	"strings"
	"testing"
)

// Manager is a NETCONF client on one session. Its methods return what the
// device said, and an error that holds the rpc-error where it said no. They
// wait for ReplyTimeout at most.
type Manager interface {
	SessionID() uint32
	GetConfig(source string) (string, error)
	Lock(target string) error
	// EditConfig takes the content of the config element.
	EditConfig(target, config string) error
	Commit() error
	Unlock(target string) error
	Subscribe() error
	Notification() (string, error)
	CloseSession() error
}

// ManagerKind is a program or library that can be a Manager.
type ManagerKind struct {
	Name    string
	Needs   []string
	Connect func(t testing.TB, target Target) Manager
}

// ManagerKinds are all of them that can be driven step by step. yangcli is run
// on a script instead: see RunYangcli.
func ManagerKinds() []ManagerKind {
	return []ManagerKind{
		{"ncclient", []string{"ncclient"}, ConnectNcclient},
		{"OpenSSH with base 1.0", []string{"ssh"}, func(t testing.TB, target Target) Manager { return ConnectOpenSSH(t, target, Base10) }},
		{"OpenSSH with base 1.1", []string{"ssh"}, func(t testing.TB, target Target) Manager { return ConnectOpenSSH(t, target, Base10, Base11) }},
		{"libnetconf2", []string{"libnetconf2"}, ConnectLibnetconfSSH},
		{"scrapligo with base 1.0", nil, func(t testing.TB, target Target) Manager { return ConnectScrapligo(t, target, "1.0") }},
		{"scrapligo with base 1.1", nil, func(t testing.TB, target Target) Manager { return ConnectScrapligo(t, target, "1.1") }},
	}
}

// TLSManagerKind is one that speaks TLS.
type TLSManagerKind struct {
	Name  string
	Needs []string
	// SNI says that it can name the device on the shared endpoint.
	SNI     bool
	Connect func(t testing.TB, target TLSTarget) Manager
}

// TLSManagerKinds are all of them.
func TLSManagerKinds() []TLSManagerKind {
	openssl := func(bases ...string) func(testing.TB, TLSTarget) Manager {
		return func(t testing.TB, target TLSTarget) Manager { return ConnectOpenSSL(t, target, bases...) }
	}
	return []TLSManagerKind{
		{"libnetconf2", []string{"libnetconf2"}, false, ConnectLibnetconfTLS},
		{"openssl with base 1.0", []string{"openssl"}, true, openssl(Base10)},
		{"openssl with base 1.1", []string{"openssl"}, true, openssl(Base10, Base11)},
		{"raw", nil, true, func(t testing.TB, target TLSTarget) Manager { return ConnectTLS(t, target, Base10, Base11) }},
	}
}

// Operations that every manager of ours writes in the same way.
const subscribe = `<create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/>`

func getConfig(source string) string {
	return "<get-config><source><" + source + "/></source></get-config>"
}
func lock(target string) string   { return "<lock><target><" + target + "/></target></lock>" }
func unlock(target string) string { return "<unlock><target><" + target + "/></target></unlock>" }
func editConfig(target, config string) string {
	return "<edit-config><target><" + target + "/></target><config>" + config + "</config></edit-config>"
}

// GetConfig, Lock and the others below make a Session a Manager.
func (s *Session) GetConfig(source string) (string, error) {
	reply, err := s.RPC(ReplyTimeout, getConfig(source))
	if err == nil {
		err = refused(reply)
	}
	return reply, err
}

func (s *Session) SessionID() uint32        { return s.ID }
func (s *Session) Lock(target string) error { return s.expectOK(lock(target)) }
func (s *Session) EditConfig(target, config string) error {
	return s.expectOK(editConfig(target, config))
}
func (s *Session) Commit() error              { return s.expectOK("<commit/>") }
func (s *Session) Unlock(target string) error { return s.expectOK(unlock(target)) }
func (s *Session) Subscribe() error           { return s.expectOK(subscribe) }
func (s *Session) CloseSession() error        { return s.expectOK("<close-session/>") }

// Notification is the next one, awaited for ReplyTimeout.
func (s *Session) Notification() (string, error) { return s.NotificationWithin(ReplyTimeout) }

func (s *Session) expectOK(operation string) error {
	reply, err := s.RPC(ReplyTimeout, operation)
	if err != nil {
		return err
	}
	return notOK(reply)
}

// refused returns the rpc-error in a reply, if there is one.
func refused(reply string) error {
	if strings.Contains(reply, "rpc-error>") {
		return fmt.Errorf("the device says %.1000s", reply)
	}
	return nil
}

// notOK returns an error unless the reply is <ok/>.
func notOK(reply string) error {
	if err := refused(reply); err != nil {
		return err
	}
	if !strings.Contains(reply, "ok/>") {
		return fmt.Errorf("neither ok nor rpc-error: %.1000s", reply)
	}
	return nil
}
