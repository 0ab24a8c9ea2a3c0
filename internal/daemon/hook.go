package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callhome-gateway/callhome"
	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
)

// hook asks a command or an HTTP endpoint of the operator's about calls. It is
// asked from one goroutine for each call.
type hook struct {
	ask     func(ctx context.Context, question []byte) ([]byte, error)
	close   func()
	users   userTable
	timeout time.Duration
	// goOn says that a failure counts as no opinion.
	goOn   bool
	turns  *hookTurns
	log    hclog.Logger
	failed seldom
}

// newHook returns nil where the configuration has no hook.
func newHook(c config.Callhome, log hclog.Logger) (*hook, error) {
	if c.Hook == nil {
		return nil, nil
	}
	h := &hook{
		users: c.NamedUsers, timeout: c.Hook.Timeout, goOn: c.Hook.Continue, turns: newHookTurns(c.Hook.MaxRunning, c.Sources),
		close: func() {}, log: log, failed: seldom{every: 10 * time.Second},
	}
	if c.Hook.URL != nil {
		e := newHookEndpoint(c.Hook)
		h.ask, h.close = e.ask, e.close
		return h, nil
	}
	command, err := newHookCommand(c.Hook.Command)
	if err != nil {
		return nil, err
	}
	h.ask = command.ask
	return h, nil
}

// choose implements callhome.UserSelect.
func (h *hook) choose(ctx context.Context, call callhome.CallInfo) (callhome.Selection, error) {
	s, err := h.answer(ctx, call)
	if err == nil || !h.goOn || errors.Is(context.Cause(ctx), context.Canceled) {
		return s, err
	}
	if before, ok := h.failed.say(time.Now()); ok {
		h.log.Warn("the user-select hook failed; its calls go on as if it had no opinion (on_error)", "remote", call.Remote, "error", err, "not_logged_before", before)
	}
	return callhome.Selection{}, nil
}

func (h *hook) answer(ctx context.Context, call callhome.CallInfo) (callhome.Selection, error) {
	if h.turns.take(ctx, call.Remote) != nil {
		return callhome.Selection{}, h.late(ctx, fmt.Errorf("%d other questions were being asked for %s (timeout): raise max_running, or make the hook quicker", h.turns.most, h.timeout))
	}
	defer h.turns.leave()
	text, err := h.ask(ctx, question(call))
	if ctx.Err() != nil {
		return callhome.Selection{}, h.late(ctx, fmt.Errorf("no answer within %s (timeout)", h.timeout))
	}
	if err != nil {
		return callhome.Selection{}, err
	}
	return h.users.selection(text)
}

// late tells a deadline from the end of the gateway.
func (h *hook) late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return ctx.Err()
}

// question is what the hook is told of a call. Every field is always there.
func question(call callhome.CallInfo) []byte {
	text, _ := json.Marshal(struct { // strings and numbers: it cannot fail
		Remote     string `json:"remote"`
		RemotePort uint16 `json:"remote_port"`
		Local      string `json:"local"`
		LocalPort  uint16 `json:"local_port"`
		Transport  string `json:"transport"`
		Listener   string `json:"listener"`
		DeviceID   string `json:"device_id"`
	}{
		call.Remote.Addr().String(), call.Remote.Port(), call.Local.Addr().String(), call.Local.Port(),
		string(call.Transport), call.Listener, call.DeviceID,
	})
	return text
}
