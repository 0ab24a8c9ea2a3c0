package harness

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/scrapli/scrapligo/driver/netconf"
	"github.com/scrapli/scrapligo/driver/options"
	"github.com/scrapli/scrapligo/response"
	"github.com/scrapli/scrapligo/util"
)

// Scrapligo is the Go library of that name.
type Scrapligo struct {
	driver *netconf.Driver
	// seen is everything that it read: it drops the notifications of RFC 5277,
	// which carry no message-id.
	seen *Output
	id   uint32
}

// ConnectScrapligo opens a session of this version ("1.0" or "1.1"), or fails the test.
func ConnectScrapligo(t testing.TB, target Target, version string) Manager {
	t.Helper()
	port, err := strconv.Atoi(target.Port())
	if err != nil {
		t.Fatal(err)
	}
	s := &Scrapligo{seen: &Output{}}
	s.driver, err = netconf.NewDriver(target.Host(),
		options.WithPort(port), options.WithAuthUsername(target.Username), options.WithAuthPassword(target.Password),
		options.WithAuthNoStrictKey(), options.WithTransportType("standard"), options.WithTimeoutOps(ReplyTimeout),
		options.WithChannelLog(s.seen), options.WithNetconfPreferredVersion(version))
	if err == nil {
		err = s.driver.Open()
	}
	if err != nil {
		t.Fatalf("scrapligo: connecting to %s: %v", target.Address, err)
	}
	// its own Close waits for a reader that may have ended already
	t.Cleanup(func() { _ = s.driver.Transport.Close(true) })
	s.id = uint32(s.driver.SessionID())
	return s
}

func (s *Scrapligo) expectOK(r *response.NetconfResponse, err error) error {
	if err != nil {
		return err
	}
	return notOK(said(r))
}

// said is all that was read up to the reply: Result may hold a notification
// instead, where both came at once.
func said(r *response.NetconfResponse) string { return string(r.RawResult) }

func (s *Scrapligo) SessionID() uint32 { return s.id }

func (s *Scrapligo) GetConfig(source string) (string, error) {
	r, err := s.driver.GetConfig(source)
	if err != nil {
		return "", err
	}
	return said(r), refused(said(r))
}

func (s *Scrapligo) Lock(target string) error   { return s.expectOK(s.driver.Lock(target)) }
func (s *Scrapligo) Unlock(target string) error { return s.expectOK(s.driver.Unlock(target)) }
func (s *Scrapligo) Commit() error              { return s.expectOK(s.driver.Commit()) }

func (s *Scrapligo) EditConfig(target, config string) error {
	return s.expectOK(s.driver.EditConfig(target, "<config>"+config+"</config>"))
}

func (s *Scrapligo) Subscribe() error { return s.rpc(subscribe) }

// CloseSession takes the end of the connection for an answer: the library
// reports it in place of the reply where it sees both at once.
func (s *Scrapligo) CloseSession() error {
	err := s.rpc("<close-session/>")
	if errors.Is(err, util.ErrConnectionError) {
		return nil
	}
	return err
}

func (s *Scrapligo) rpc(operation string) error {
	return s.expectOK(s.driver.RPC(func(o any) error {
		if op, ok := o.(*netconf.OperationOptions); ok {
			op.Filter = operation
			return nil
		}
		return util.ErrIgnoredOption
	}))
}

func (s *Scrapligo) Notification() (string, error) {
	arrived := func() bool { return strings.Contains(s.seen.String(), "</notification>") }
	if !Within(ReplyTimeout, arrived) {
		return "", ErrTimeout
	}
	_, after, _ := strings.Cut(s.seen.String(), "<notification")
	return after, nil
}
