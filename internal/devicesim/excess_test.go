package devicesim

import (
	"errors"
	"io"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestMaxSessions(t *testing.T) {
	_, client, first := connect(t, func(o *Options) { o.MaxSessions = 2 })
	second := open(t, client)
	_, _, err := client.OpenChannel("session", nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ConnectionFailed {
		t.Fatalf("third channel: %v", err)
	}
	first.ok(`<close-session/>`)
	first.gone()
	_ = first.Close()
	open(t, client).ok(`<close-session/>`) // a freed place is free at once
	second.ok(`<close-session/>`)
}

func TestExcessDropped(t *testing.T) {
	_, client, _ := connect(t, func(o *Options) { o.MaxSessions, o.Excess = 1, ExcessDropped })
	if _, _, err := client.OpenChannel("session", nil); err == nil {
		t.Fatal("a second channel was opened")
	}
	_ = client.Wait()
}

func TestRefuseReason(t *testing.T) {
	_, client, _ := connect(t, func(o *Options) { o.MaxSessions, o.RefuseReason = 1, ssh.ResourceShortage })
	_, _, err := client.OpenChannel("session", nil)
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("second channel: %v", err)
	}
}

func TestExcessNoSubsystem(t *testing.T) {
	_, client, first := connect(t, func(o *Options) { o.MaxSessions, o.Excess = 1, ExcessNoSubsystem })
	for range 2 {
		s, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if s.RequestSubsystem("netconf") == nil {
			t.Error("a second session was started")
		}
	}
	first.ok(`<close-session/>`)
	first.gone()
	_ = first.Close()
	open(t, client) // those that are one too many take no place
}

func TestExcessClosed(t *testing.T) {
	_, client, first := connect(t, func(o *Options) { o.MaxSessions, o.Excess = 1, ExcessClosed })
	second := subsystem(t, client)
	if _, err := second.Next(); err != io.EOF {
		t.Errorf("the second session ended with %v", err)
	}
	contains(t, first.do(`<get/>`), "<data")
}

func TestExcessSilent(t *testing.T) {
	d := newDevice(t, func(o *Options) { o.MaxSessions, o.Excess = -1, ExcessSilent })
	client := login(t, serve(t, d))
	c := subsystem(t, client)
	got := make(chan error, 1)
	go func() { _, err := c.Next(); got <- err }()
	if ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil); ok || err != nil {
		t.Errorf("keepalive: %v, %v", ok, err)
	}
	if len(got) > 0 || d.Sessions() > 0 {
		t.Error("the device said something")
	}
	_ = client.Close()
	within(t, got)
}

func TestClosedHello(t *testing.T) {
	_, conn := tlsConnection(t, func(o *Options) { o.ClosedHello = true })
	if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v", err)
	}
}
