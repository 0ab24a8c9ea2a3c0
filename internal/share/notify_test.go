package share

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

const subscribeAll = `<create-subscription xmlns="` + spaceNotification + `"/>`

func event(content string) string {
	return `<notification xmlns="` + spaceNotification + `"><eventTime>2026-01-01T00:00:00Z</eventTime>` + content + `</notification>`
}

func TestEventsReachTheSubscribersOnly(t *testing.T) {
	for name, content := range map[string]string{
		"small": "<small/>",
		"large": "<large>" + strings.Repeat("<x/>", 200_000) + "</large>",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := newFake(t, Options{}, all, sayOK)
				a, b, c := open(t, d), open(t, d), open(t, d)
				a.want(subscribeAll, ok)
				b.want(subscribeAll, ok)
				if got := f.received(); !slices.Equal(got, []string{"create-subscription"}) {
					t.Errorf("the device received %q", got)
				}
				go f.write(event(content))
				got := make(chan string, 1)
				go func() {
					doc, err := b.read()
					got <- fmt.Sprint(doc, err)
				}()
				if doc, err := a.read(); err != nil || doc != event(content) {
					t.Errorf("the first got %.200s, %v", doc, err)
				}
				if doc := <-got; doc != event(content)+"<nil>" {
					t.Errorf("the second got %.200s", doc)
				}
				c.want("<get/>", ok)
				_ = b.Close()
				go f.write(event(content))
				if doc, err := a.read(); err != nil || doc != event(content) {
					t.Errorf("the one that is left got %.200s, %v", doc, err)
				}
			})
		})
	}
}

func TestASubscriberThatStallsIsReleased(t *testing.T) {
	for name, stall := range map[string]func(*fakeManager) error{
		"between messages": func(*fakeManager) error { return nil },
		"within one": func(m *fakeManager) error {
			message, err := m.Next()
			if err == nil {
				_, err = message.Body.Read(make([]byte, 10))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, d := newFake(t, Options{}, all, sayOK)
				a, b := open(t, d), open(t, d)
				a.want(subscribeAll, ok)
				b.want(subscribeAll, ok)
				large := event(strings.Repeat("<x/>", 200_000))
				go f.write(large)
				got := make(chan string, 1)
				go func() {
					doc, err := b.read()
					got <- fmt.Sprint(doc, err)
				}()
				if err := stall(a); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if len(got) > 0 {
					t.Error("a large event is not read in step")
				}
				_ = a.Close()
				if doc := <-got; doc != large+"<nil>" {
					t.Errorf("the other got %.200s", doc)
				}
				b.want("<get/>", ok)
			})
		})
	}
}

func TestEventsThatNobodyWantsAreDrained(t *testing.T) {
	f, d := newFake(t, Options{}, all, sayOK)
	a, b := open(t, d), open(t, d)
	a.want(subscribeAll, ok)
	_ = a.Close()
	f.write(event("<a/>"))
	f.write(event(strings.Repeat("<x/>", 200_000)))
	b.want("<get/>", ok)
	b.want(subscribeAll, ok) // the same one again
	go f.write(event("<b/>"))
	if doc, err := b.read(); err != nil || doc != event("<b/>") {
		t.Errorf("got %s, %v", doc, err)
	}
	_ = b.Close()
	c := open(t, d)
	err := <-c.send(`<create-subscription xmlns="` + spaceNotification + `"><stream>other</stream></create-subscription>`)
	if !errors.Is(err, ErrEnding) || !errors.Is(f.why(), errSubscribe) {
		t.Errorf("another subscription: %v; the link ended: %v", err, f.why())
	}
}

func TestAnEventMayComeBeforeTheReplyToItsSubscription(t *testing.T) {
	_, d := newFake(t, Options{}, all, func(f *fakeDevice, r request) string {
		f.write(event("<early/>"))
		return ok
	})
	a := open(t, d)
	sent := a.send(subscribeAll)
	if doc, err := a.read(); err != nil || doc != event("<early/>") {
		t.Errorf("got %s, %v", doc, err)
	}
	if doc, err := a.read(); err != nil || inner(doc) != ok || <-sent != nil {
		t.Errorf("got %s, %v", doc, err)
	}
}

func TestAReplayEndsItsSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const complete = `<notificationComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/>`
		f, d := newFake(t, Options{}, all, sayOK)
		a, b := open(t, d), open(t, d)
		a.want(`<create-subscription xmlns="`+spaceNotification+`"><startTime>2026-01-01T00:00:00Z</startTime><stopTime>2026-01-02T00:00:00Z</stopTime></create-subscription>`, ok)
		b.want(subscribeAll, "in-use")
		for _, content := range []string{"<a/>", `<replayComplete xmlns="urn:ietf:params:xml:ns:netmod:notification"/>`, complete} {
			go f.write(event(content))
			if doc, err := a.read(); err != nil || doc != event(content) {
				t.Errorf("got %s, %v", doc, err)
			}
		}
		b.want(subscribeAll, ok)
		go f.write(event("<b/>"))
		if doc, err := b.read(); err != nil || doc != event("<b/>") {
			t.Errorf("got %s, %v", doc, err)
		}
	})
}

func TestWithoutInterleaveNobodySubscribes(t *testing.T) {
	f, d := newFake(t, Options{}, without(all, capInterleave), sayOK)
	a := open(t, d)
	if a.Hello().Has(capNotification) {
		t.Error("the hello offers notifications")
	}
	a.want(subscribeAll, "operation-not-supported")
	if got := f.received(); len(got) > 0 {
		t.Errorf("the device received %q", got)
	}
}
