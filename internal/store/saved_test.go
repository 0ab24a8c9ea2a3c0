package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callhome-gateway/auth"
)

// names lists what is saved, as kind/name.
func names(s *Store) []string {
	list := []string{}
	for _, b := range s.Saved() {
		list = append(list, b.key())
	}
	return list
}

func mustSave(t *testing.T, s *Store, blocks ...Saved) {
	t.Helper()
	if err := s.Save(blocks...); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsSavedSurvivesARestartInItsOrder(t *testing.T) {
	dir := stateDir(t)
	s := mustOpen(t, dir)
	mustSave(t, s, Saved{Kind: SavedUser, Name: "b", Text: `user "b" {}`})
	mustSave(t, s, Saved{Kind: SavedUser, Name: "a", Text: `user "a" {}`}, Saved{Kind: SavedCallhomeUser, Name: "a"})
	mustSave(t, s, Saved{Kind: SavedSession, Name: "a", Text: "session"})
	since := s.Saved()[0].Since
	mustSave(t, s, Saved{Kind: SavedUser, Name: "b", Text: "other"})
	if err := s.Unsave(SavedUser, "a"); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s, Saved{Kind: SavedUser, Name: "a"})
	check := func(when string) {
		t.Helper()
		if got, want := names(s), []string{"user/b", "callhome-user/a", "session/a", "user/a"}; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
		if b := s.Saved()[0]; b.Text != "other" || !b.Since.Equal(since) || b.Since.IsZero() {
			t.Errorf("%s, what was replaced: %+v, first saved %v", when, b, since)
		}
	}
	check("before the restart")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir)
	check("after it")
}

func TestSaveRefuses(t *testing.T) {
	s := mustOpen(t, stateDir(t))
	good := Saved{Kind: SavedUser, Name: "good"}
	for name, bad := range map[string]Saved{
		"an unknown kind":  {Kind: "manager", Name: "x"},
		"no name":          {Kind: SavedUser},
		"a name with caps": {Kind: SavedUser, Name: "Fleet"},
		"a slash":          {Kind: SavedUser, Name: "a/b"},
		"too much text":    {Kind: SavedUser, Name: "x", Text: strings.Repeat("#", maxSavedText+1)},
	} {
		t.Run(name, func(t *testing.T) {
			if err := s.Save(good, bad); err == nil {
				t.Error("it was saved")
			}
			if got := names(s); len(got) != 0 {
				t.Errorf("%q is saved all the same", got)
			}
		})
	}
	if err := s.Save(Saved{Kind: SavedUser, Name: "A b"}); !errors.Is(err, auth.ErrBadName) {
		t.Errorf("a bad name: %v", err)
	}
	if err := s.Unsave(SavedUser, "good"); !errors.Is(err, auth.ErrUnknownEntry) {
		t.Errorf("removing what is not there: %v", err)
	}
}

func TestWhatIsSavedIsBounded(t *testing.T) {
	s, _ := openMemory(t)
	defer s.Close()
	text := strings.Repeat("#", maxSavedText)
	var blocks []Saved
	for i := range maxSavedSum / maxSavedText {
		blocks = append(blocks, Saved{Kind: SavedSession, Name: fmt.Sprint("edge-", i), Text: text})
	}
	mustSave(t, s, blocks...)
	mustSave(t, s, blocks[0]) // in its own place
	more := Saved{Kind: SavedSession, Name: "more", Text: "#"}
	if err := s.Save(more); err == nil {
		t.Errorf("more than %d bytes were saved", maxSavedSum)
	}
	if err := s.Unsave(SavedSession, "edge-0"); err != nil {
		t.Fatal(err)
	}
	mustSave(t, s, more)

	s, d := openMemory(t)
	defer s.Close()
	blocks = nil
	for i := range maxSaved {
		blocks = append(blocks, Saved{Kind: SavedSession, Name: fmt.Sprint("edge-", i)})
	}
	mustSave(t, s, blocks...)
	if err := s.Save(more); err == nil || d.count(savedTable) != maxSaved {
		t.Errorf("%d are saved: %v", d.count(savedTable), err)
	}
}
