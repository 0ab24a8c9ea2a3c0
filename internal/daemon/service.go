package daemon

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
)

const (
	// statusInterval is how often systemctl status is told the figures anew.
	statusInterval = 10 * time.Second
	// stopMargin is what a stop may take besides what it waits for.
	stopMargin = 30 * time.Second
	// lastAnswer is how long the end waits for parts that are being asked.
	lastAnswer = time.Second
)

// service tells systemd how the gateway does (sd_notify(3)). A nil one tells
// nobody, and so does one without systemd.
type service struct {
	log hclog.Logger
	// watchdog is how long systemd waits for a sign of life; 0: for ever.
	watchdog time.Duration
	// failed says that systemd could not be told the last time.
	failed atomic.Bool
}

func newService(log hclog.Logger) *service {
	watchdog, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("systemd's watchdog is not served", "error", err)
	}
	return &service{log: log, watchdog: watchdog}
}

func (s *service) tell(state string) {
	if s == nil {
		return
	}
	if _, err := systemd.SdNotify(false, state); err == nil {
		s.failed.Store(false)
	} else if !s.failed.Swap(true) {
		s.log.Warn("systemd cannot be told how the gateway does", "error", err)
	}
}

// ready says that everything listens, also after a reload.
func (s *service) ready() { s.tell(systemd.SdNotifyReady) }

// reloading says that a reload has begun, which ready ends. The time is what
// Type=notify-reload tells this reload by from an older one.
func (s *service) reloading() {
	s.tell(systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec())
}

// stopping says that the gateway ends, within that time from now.
func (s *service) stopping(within time.Duration) {
	s.tell(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", systemd.SdNotifyStopping, (within + stopMargin).Microseconds()))
}

// live tells systemd the figures, and that the gateway lives, until ctx ends.
// ask asks the parts for the figures: while they do not answer, systemd is not
// told that they live, and restarts the gateway when its patience is over.
func (s *service) live(ctx context.Context, ask func() string) error {
	every, sign := statusInterval, ""
	if s == nil {
		return nil
	}
	if s.watchdog > 0 {
		every, sign = min(every, s.watchdog/2), systemd.SdNotifyWatchdog+"\n"
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	answers := make(chan string, 1)
	for waiting, said := false, false; ; {
		if !waiting {
			waiting = true
			go func() { answers <- ask() }() // it is waited for, unless it never answers
		}
		select {
		case status := <-answers:
			s.tell(sign + "STATUS=" + status)
			waiting, said = false, false
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return nil
			}
		case <-ticker.C:
			if s.watchdog > 0 && !said {
				said = true
				s.log.Error("a part of the gateway does not answer, systemd will restart it unless it does soon: please report this, with the stacks that SIGQUIT prints")
			}
		case <-ctx.Done():
			select {
			case <-answers:
			case <-time.After(lastAnswer):
			}
			return nil
		}
	}
}

// takeSockets takes the TCP sockets that systemd hands over. What else it hands
// over is closed. Programs that the gateway starts see nothing of it.
func (s *sockets) takeSockets(log hclog.Logger) {
	for _, file := range activation.Files(true) {
		ln, err := net.FileListener(file)
		_ = file.Close()
		tcp, ok := ln.(*net.TCPListener)
		if !ok {
			if err == nil {
				_ = ln.Close()
			}
			log.Warn("systemd has handed over what is no listening TCP socket: it is closed; take it out of the socket unit", "name", file.Name())
			continue
		}
		s.handed = append(s.handed, &socket{TCPListener: tcp, name: file.Name(), home: s})
	}
}
