package daemon

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
)

// stubbed returns a hook that asks a function.
func stubbed(t *testing.T, c config.Hook, ask func(context.Context, []byte) ([]byte, error)) *hook {
	t.Helper()
	c.Command = []string{"none"}
	h := newTestHook(t, c)
	h.ask = ask
	return h
}

// TestQuestionsWaitTheirTurn: a third question waits while two are asked, and
// is given up when its own time is over.
func TestQuestionsWaitTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		h := stubbed(t, config.Hook{MaxRunning: 2, Timeout: 3 * time.Second}, func(context.Context, []byte) ([]byte, error) {
			asked.Add(1)
			time.Sleep(2 * time.Second)
			return []byte("{}"), nil
		})
		errs := make(chan error, 5)
		for range cap(errs) {
			go func() {
				_, err := askHook(t, h)
				errs <- err
			}()
		}
		synctest.Wait()
		if asked.Load() != 2 {
			t.Errorf("%d are asked at a time", asked.Load())
		}
		failed := make(map[string]int)
		for range cap(errs) {
			if err := <-errs; err != nil {
				failed[err.Error()]++
			}
		}
		// Two are done after 2 s, two begin then and are late, and one is never
		// asked.
		late, never := "no answer within 3s (timeout)", "2 other questions were being asked for 3s (timeout): raise max_running, or make the hook quicker"
		if asked.Load() != 4 || !maps.Equal(failed, map[string]int{late: 2, never: 1}) {
			t.Errorf("%d were asked: %v", asked.Load(), failed)
		}
	})
}

func TestOnErrorContinue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := stubbed(t, config.Hook{Continue: true}, func(context.Context, []byte) ([]byte, error) { return nil, errors.New("out of order") })
		var log bytes.Buffer
		h.log = hclog.New(&hclog.LoggerOptions{Output: &log})
		ask := func(times int) string {
			log.Reset()
			for range times {
				if s, err := askHook(t, h); err != nil || s.Reject || s.User != nil {
					t.Errorf("%+v, %v", s, err)
				}
			}
			return log.String()
		}
		if first := ask(5); strings.Count(first, "\n") != 1 || !strings.Contains(first, "out of order") || !strings.Contains(first, "remote=192.0.2.7:40000") || !strings.Contains(first, "not_logged_before=0") {
			t.Errorf("logged:\n%s", first)
		}
		if again := ask(1); again != "" {
			t.Errorf("logged:\n%s", again)
		}
		time.Sleep(10 * time.Second)
		if later := ask(1); !strings.Contains(later, "not_logged_before=5") {
			t.Errorf("logged:\n%s", later)
		}
	})
}

// TestTheEndOfTheGatewayIsNoFailureOfTheHook: such a call is not let in for
// want of an answer.
func TestTheEndOfTheGatewayIsNoFailureOfTheHook(t *testing.T) {
	h := stubbed(t, config.Hook{Continue: true}, func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.choose(ctx, hookCall); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
