package callhome_test

import (
	"context"
	"errors"
	"testing"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/devicesim"
)

func TestFurtherSessionThatADeviceDoesNotGive(t *testing.T) {
	for _, tt := range []struct {
		name   string
		excess devicesim.Excess
		want   error
		ends   bool // the link
	}{
		{"refused", devicesim.ExcessRefused, callhome.ErrNoSession, false},
		{"no subsystem", devicesim.ExcessNoSubsystem, callhome.ErrNoSession, false},
		{"closed", devicesim.ExcessClosed, callhome.ErrNoSession, false},
		{"dropped", devicesim.ExcessDropped, callhome.ErrDropped, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, known(t))
			device(t, s, devicesim.Options{MaxSessions: 1, Excess: tt.excess})
			s.want(t, callhome.Accepted)
			link := receive(t, s.links, "link")
			_, err := link.Open(t.Context())
			if !errors.Is(err, tt.want) || errors.Is(err, callhome.ErrLinkEnded) != tt.ends {
				t.Errorf("error %v", err)
			}
			if ended := link.Err() != nil; ended != tt.ends {
				t.Errorf("the link ended: %v", link.Err())
			}
		})
	}
}

func TestOpenOnALinkThatTheGatewayEnds(t *testing.T) {
	s := start(t, known(t))
	opened := make(chan struct{}, 1)
	device(t, s, devicesim.Options{MaxSessions: 1, Excess: devicesim.ExcessSilent, OnOpen: func(bool) {
		select {
		case opened <- struct{}{}:
		default:
		}
	}})
	s.want(t, callhome.Accepted)
	link := receive(t, s.links, "link")
	run(t, func(context.Context) error {
		<-opened // the control session's, or the one below
		<-opened
		_ = link.Close()
		return nil
	})
	_, err := link.Open(t.Context())
	if !errors.Is(err, callhome.ErrLinkEnded) || errors.Is(err, callhome.ErrDropped) || errors.Is(err, callhome.ErrNoSession) {
		t.Errorf("error %v", err)
	}
}
