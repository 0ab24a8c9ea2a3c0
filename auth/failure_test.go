package auth

import (
	"fmt"
	"testing"
	"time"
)

func TestFailureIsKeptPerIdentityAndExpires(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := Identity{Fingerprint: "SHA256:a"}, Identity{Fingerprint: "SHA256:b"}
	f := NewFailures(15 * time.Minute)
	f.Mark(a, "fleet", now)
	for _, tt := range []struct {
		id   Identity
		user string
		at   time.Time
		want bool
	}{
		{a, "fleet", now, true},
		{a, "old", now, false},
		{b, "fleet", now, false},
		{a, "fleet", now.Add(14 * time.Minute), true},
		{a, "fleet", now.Add(15 * time.Minute), false},
	} {
		if got := f.Failed(tt.id, tt.user, tt.at); got != tt.want {
			t.Errorf("Failed(%v, %q, +%v) = %v, want %v", tt.id, tt.user, tt.at.Sub(now), got, tt.want)
		}
	}
	if got := f.List(now); len(got) != 1 || !got[0].Expires.Equal(now.Add(15*time.Minute)) {
		t.Errorf("List = %+v", got)
	}
}

func TestFailureWithoutTTLStays(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := NewFailures(0)
	f.Mark(Identity{Fingerprint: "SHA256:a"}, "fleet", now)
	if !f.Failed(Identity{Fingerprint: "SHA256:a"}, "fleet", now.AddDate(1, 0, 0)) {
		t.Error("expired although no TTL was set")
	}
}

func TestFailuresAreBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	f := NewFailures(0)
	for i := range maxFailures {
		f.marks[failureKey{Identity{Fingerprint: fmt.Sprint(i)}, "u"}] = now.Add(time.Duration(i))
	}
	f.Mark(Identity{Fingerprint: "new"}, "u", now.Add(time.Hour))
	if len(f.marks) != maxFailures {
		t.Errorf("%d marks, want %d", len(f.marks), maxFailures)
	}
	if f.Failed(Identity{Fingerprint: "0"}, "u", now) || !f.Failed(Identity{Fingerprint: "new"}, "u", now) {
		t.Error("the oldest mark should have made room for the newest")
	}
}

func TestFailuresAreClearedWhereTheyMatch(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := Identity{Fingerprint: "SHA256:a"}, Identity{Fingerprint: "SHA256:b"}
	f := NewFailures(time.Minute)
	f.Mark(a, "expired", now.Add(-time.Hour))
	f.Mark(a, "fleet", now)
	f.Mark(b, "fleet", now)
	if n := f.Clear(now, func(f Failure) bool { return f.Identity == a }); n != 1 {
		t.Errorf("%d are cleared", n)
	}
	if f.Failed(a, "fleet", now) || !f.Failed(b, "fleet", now) {
		t.Error("the wrong one is cleared")
	}
}

func TestFailuresCanBeKeptForAnotherTime(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a := Identity{Fingerprint: "SHA256:a"}
	f := NewFailures(0)
	f.Mark(a, "fleet", now)
	f.Keep(time.Minute)
	if !f.Failed(a, "fleet", now) || f.Failed(a, "fleet", now.Add(time.Minute)) {
		t.Error("the new time does not hold for what was marked before")
	}
}
