package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"callhome-gateway/auth"
)

func (b *fakeBackend) note(what string, arg any) error {
	b.asked = fmt.Sprintf("%s %+v", what, arg)
	return b.err
}

func (b *fakeBackend) Reload(context.Context) (ReloadResult, error) {
	return ReloadResult{Warnings: []string{"a"}, NeedRestart: []string{"state_dir"}, Links: 1, Sessions: 2}, b.note("reload", nil)
}
func (b *fakeBackend) Backup(_ context.Context, w io.Writer) error {
	return errors.Join(writeParts(w), b.note("backup", nil))
}
func (b *fakeBackend) ApproveList(_ context.Context, list string) ([]Device, error) {
	return []Device{{Name: "edge-1"}}, b.note("approve", len(list))
}
func (b *fakeBackend) Rename(_ context.Context, r RenameRequest) (Device, error) {
	return Device{Name: r.Name}, b.note("rename", r)
}
func (b *fakeBackend) Trace(ctx context.Context, device string, w io.Writer) error {
	if b.err != nil {
		return b.note("trace", device)
	}
	return errors.Join(writeParts(w), b.hold(ctx))
}
func (b *fakeBackend) CallhomeServer(context.Context) (CallhomeServer, error) {
	return CallhomeServer{Running: true}, b.note("callhome-server", nil)
}
func (b *fakeBackend) StartCallhome(_ context.Context, r StartRequest) (CallhomeServer, error) {
	return CallhomeServer{Running: true, Enabled: true}, b.note("start", *r.Port)
}
func (b *fakeBackend) StopCallhome(context.Context) (CallhomeServer, error) {
	return CallhomeServer{Enabled: true}, b.note("stop", nil)
}
func (b *fakeBackend) CallhomeUsers(context.Context) ([]CallhomeUser, error) {
	return []CallhomeUser{{Order: 1, Name: "fleet"}}, b.note("callhome-users", nil)
}
func (b *fakeBackend) AddCallhomeUser(_ context.Context, name string) error {
	return b.note("add", name)
}
func (b *fakeBackend) RemoveCallhomeUser(_ context.Context, name string) error {
	return b.note("remove callhome-user", name)
}
func (b *fakeBackend) Users(context.Context) ([]User, error) {
	return []User{{Name: "fleet", Methods: []string{"password"}}}, b.note("users", nil)
}
func (b *fakeBackend) SaveUser(_ context.Context, r SaveUserRequest) (User, error) {
	return User{Name: r.Name}, b.note("save user", r)
}
func (b *fakeBackend) RemoveUser(_ context.Context, name string) error {
	return b.note("remove user", name)
}
func (b *fakeBackend) Sessions(context.Context) ([]SessionEntry, error) {
	return []SessionEntry{{Name: "edge-1", Identities: []string{"SHA256:x"}}}, b.note("sessions", nil)
}
func (b *fakeBackend) SaveSession(_ context.Context, r SaveSessionRequest) (SessionEntry, error) {
	return SessionEntry{Name: r.Name}, b.note("save session", r)
}
func (b *fakeBackend) RemoveSession(_ context.Context, name string) error {
	return b.note("remove session", name)
}
func (b *fakeBackend) Failures(context.Context) ([]Failure, error) {
	return []Failure{{User: "fleet"}}, b.note("failures", nil)
}
func (b *fakeBackend) ClearFailures(_ context.Context, f FailureFilter) (int, error) {
	return 7, b.note("clear", f)
}
func (b *fakeBackend) Events(context.Context) ([]Event, error) {
	return []Event{{Number: 1, Kind: EventAway}}, b.note("events", nil)
}
func (b *fakeBackend) Follow(ctx context.Context, tell func(Event) error) error {
	for n := range uint64(3) {
		if err := tell(Event{Number: n + 1, Kind: EventConnected, Device: "edge-1"}); err != nil {
			return err
		}
	}
	return b.hold(ctx)
}

// hold keeps a stream open as long as the test wants it.
func (b *fakeBackend) hold(ctx context.Context) error {
	if b.entered == nil {
		return b.err
	}
	close(b.entered)
	<-ctx.Done()
	return ctx.Err()
}

func writeParts(w io.Writer) error {
	for _, part := range []string{"one\n", "two\n"} {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}

// Each request does one thing, with what it was given, and answers with what it
// has got.
func TestRequestsArriveAsTheyWereGiven(t *testing.T) {
	b := &fakeBackend{}
	c := start(t, b)
	ctx := t.Context()
	port := uint16(4334)
	for _, r := range []struct {
		asked, got string
		ask        func() (any, error)
	}{
		{"reload <nil>", "{Warnings:[a] NeedRestart:[state_dir] Links:1 Sessions:2}", func() (any, error) { return c.Reload(ctx) }},
		{"approve 1048576", "edge-1", func() (any, error) { d, err := c.ApproveList(ctx, strings.Repeat("x", 1<<20)); return d[0].Name, err }},
		{"rename {Device:edge-1 Name:edge-2}", "edge-2", func() (any, error) {
			d, err := c.Rename(ctx, RenameRequest{Device: "edge-1", Name: "edge-2"})
			return d.Name, err
		}},
		{"callhome-server <nil>", "true", func() (any, error) { s, err := c.CallhomeServer(ctx); return s.Running, err }},
		{"start 4334", "true", func() (any, error) { s, err := c.StartCallhome(ctx, StartRequest{Port: &port}); return s.Running, err }},
		{"stop <nil>", "false", func() (any, error) { s, err := c.StopCallhome(ctx); return s.Running, err }},
		{"callhome-users <nil>", "fleet", func() (any, error) { u, err := c.CallhomeUsers(ctx); return u[0].Name, err }},
		{"add fleet", "", func() (any, error) { return "", c.AddCallhomeUser(ctx, "fleet") }},
		{"remove callhome-user fleet", "", func() (any, error) { return "", c.RemoveCallhomeUser(ctx, "fleet") }},
		{"users <nil>", "[password]", func() (any, error) { u, err := c.Users(ctx); return u[0].Methods, err }},
		{"save user {Name:fleet Username:netconf Password:sesame PrivateKey: Callhome:true}", "fleet", func() (any, error) {
			u, err := c.SaveUser(ctx, SaveUserRequest{Name: "fleet", Username: "netconf", Password: "sesame", Callhome: true})
			return u.Name, err
		}},
		{"remove user fleet", "", func() (any, error) { return "", c.RemoveUser(ctx, "fleet") }},
		{"sessions <nil>", "[SHA256:x]", func() (any, error) { s, err := c.Sessions(ctx); return s[0].Identities, err }},
		{"save session {Device:dev-1 Name:edge-1 Show:true}", "edge-1", func() (any, error) {
			s, err := c.SaveSession(ctx, SaveSessionRequest{Device: "dev-1", Name: "edge-1", Show: true})
			return s.Name, err
		}},
		{"remove session edge-1", "", func() (any, error) { return "", c.RemoveSession(ctx, "edge-1") }},
		{"failures <nil>", "fleet", func() (any, error) { f, err := c.Failures(ctx); return f[0].User, err }},
		{"clear {Device:edge-1 User:fleet}", "7", func() (any, error) { return c.ClearFailures(ctx, FailureFilter{Device: "edge-1", User: "fleet"}) }},
		{"events <nil>", "away", func() (any, error) { e, err := c.Events(ctx); return e[0].Kind, err }},
	} {
		if got, err := r.ask(); err != nil || b.asked != r.asked || fmt.Sprintf("%+v", got) != r.got {
			t.Errorf("asked %q, want %q; got %+v, want %s; %v", b.asked, r.asked, got, r.got, err)
		}
	}
}

func TestABackupArrivesWhole(t *testing.T) {
	var got bytes.Buffer
	if err := start(t, &fakeBackend{}).Backup(t.Context(), &got); err != nil || got.String() != "one\ntwo\n" {
		t.Errorf("%q %v", got.String(), err)
	}
}

// What comes before an error must not be taken for all.
func TestAStreamThatBreaksOffSaysWhy(t *testing.T) {
	b := &fakeBackend{err: fmt.Errorf("%w: disk\nfull", ErrInUse)}
	var got bytes.Buffer
	if err := start(t, b).Backup(t.Context(), &got); !errors.Is(err, ErrInUse) || err.Error() != b.err.Error() || got.String() != "one\ntwo\n" {
		t.Errorf("%q %v", got.String(), err)
	}
}

func TestAStreamThatDoesNotBeginSaysWhy(t *testing.T) {
	b := &fakeBackend{err: fmt.Errorf("tracing: %w", auth.ErrUnknownDevice)}
	if err := start(t, b).Trace(t.Context(), "edge-1", io.Discard); !errors.Is(err, auth.ErrUnknownDevice) || b.asked != "trace edge-1" {
		t.Errorf("%v, asked %s", err, b.asked)
	}
}

func TestEventsAreFollowed(t *testing.T) {
	var got []Event
	err := start(t, &fakeBackend{}).Follow(t.Context(), func(e Event) error {
		got = append(got, e)
		return nil
	})
	if want := (Event{Number: 3, Kind: EventConnected, Device: "edge-1"}); err != nil || len(got) != 3 || !reflect.DeepEqual(got[2], want) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWhoFollowsMayGo(t *testing.T) {
	b := &fakeBackend{entered: make(chan struct{})}
	c := start(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Follow(ctx, func(e Event) error {
		if e.Number == 3 {
			cancel()
		}
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-b.entered
}

// crowdedBackend has all who follow wait for each other.
type crowdedBackend struct {
	fakeBackend
	entered chan struct{}
}

func (b *crowdedBackend) Follow(ctx context.Context, _ func(Event) error) error {
	b.entered <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestStreamsAreBounded(t *testing.T) {
	b := &crowdedBackend{entered: make(chan struct{})}
	c := start(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var following sync.WaitGroup
	defer following.Wait()
	defer cancel()
	for range maxStreams {
		following.Go(func() { _ = c.Follow(ctx, func(Event) error { return nil }) })
		<-b.entered
	}
	if err := c.Backup(t.Context(), io.Discard); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
	cancel()
	following.Wait()
	for {
		err := c.Backup(t.Context(), io.Discard)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrBusy) { // the gateway has not heard yet that they have gone
			t.Fatal(err)
		}
	}
}

// A stream ends with the gateway, and not after the three seconds that other
// requests have.
func TestAStreamEndsWithTheGateway(t *testing.T) {
	for name, follow := range map[string]func(*Client) error{
		"events": func(c *Client) error { return c.Follow(context.Background(), func(Event) error { return nil }) },
		"trace":  func(c *Client) error { return c.Trace(context.Background(), "edge-1", io.Discard) },
	} {
		t.Run(name, func(t *testing.T) {
			b := &fakeBackend{entered: make(chan struct{})}
			l, err := Listen(socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- Serve(ctx, l, b, nil) }()
			followed := make(chan error, 1)
			go func() { followed <- follow(NewClient(l.Addr().String())) }()
			<-b.entered
			began := time.Now()
			cancel()
			if err := <-followed; !errors.Is(err, ErrStopping) {
				t.Error(err)
			}
			if err := <-served; err != nil || time.Since(began) >= shutdownGrace {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		})
	}
}
