package auth

import (
	"slices"
	"strings"
	"testing"
)

// operations reads names that the test knows to be right.
func operations(t *testing.T, names ...string) (all []Operation) {
	t.Helper()
	for _, name := range names {
		op, err := ParseOperation(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, op)
	}
	return all
}

func TestReadOnlyAccess(t *testing.T) {
	reads := []string{
		"close-session", "compare", "create-subscription", "delete-subscription", "establish-subscription", "get",
		"get-config", "get-data", "get-schema", "modify-subscription", "resync-subscription",
	}
	var all, readOnly Access
	readOnly.ReadOnly = true
	for _, name := range StandardOperations() {
		op := operations(t, name)[0]
		if want := slices.Contains(reads, name); readOnly.Permits(op, "") != want || !all.Permits(op, "") {
			t.Errorf("%s: permitted %v to who may read only, %v to all", name, readOnly.Permits(op, ""), all.Permits(op, ""))
		}
	}
	for _, op := range []Operation{
		{}, {"", "get"}, {spaceBase, "get-data"}, {spaceBase, "Get"}, {spaceBase, "get "}, {spaceBase + " ", "get"},
		{spaceNMDA, "get"}, {"urn:example", "get"}, {"urn:example", "close-session"}, {spaceBase, "reboot"},
	} {
		if readOnly.Permits(op, "") || !all.Permits(op, "") {
			t.Errorf("%v: permitted to who may read only, or not to all", op)
		}
	}
	get := Operation{spaceBase, "get-config"}
	for source, want := range map[string]bool{
		"": true, "running": true, "{urn:example}factory": true, "url": false, "{urn:example}url": false, "URL": false,
	} {
		if readOnly.Permits(get, source) != want || !all.Permits(get, source) {
			t.Errorf("get-config of %q: permitted %v", source, readOnly.Permits(get, source))
		}
	}
	if (*Access)(nil).Permits(closeSession, "") {
		t.Error("who has no access may do something")
	}
}

func TestListedOperations(t *testing.T) {
	for name, test := range map[string]struct {
		access         Access
		allows, denies []string
	}{
		"a list": {
			Access{Operations: operations(t, "get", "{urn:x}reset")},
			[]string{"get", "{urn:x}reset", "close-session"}, []string{"get-config", "{urn:y}reset", "{urn:x}get", "commit"},
		},
		"an empty list": {Access{Operations: []Operation{}}, []string{"close-session"}, []string{"get", "commit"}},
		"a list of who may read only": {
			Access{ReadOnly: true, Operations: operations(t, "get", "commit", "{urn:x}reset")},
			[]string{"get", "close-session"}, []string{"commit", "{urn:x}reset", "get-config"},
		},
	} {
		for _, op := range operations(t, test.allows...) {
			if !test.access.Permits(op, "") {
				t.Errorf("%s: %s is denied", name, op)
			}
		}
		for _, op := range operations(t, test.denies...) {
			if test.access.Permits(op, "") {
				t.Errorf("%s: %s is permitted", name, op)
			}
		}
	}
}

func TestParseOperation(t *testing.T) {
	for text, want := range map[string]Operation{
		"get-config":           {spaceBase, "get-config"},
		"edit-data":            {spaceNMDA, "edit-data"},
		"action":               {spaceYANG, "action"},
		"{urn:x}name":          {"urn:x", "name"},
		"{http://x/y}_a.b-9":   {"http://x/y", "_a.b-9"},
		"{" + spaceBase + "}x": {spaceBase, "x"},
	} {
		op, err := ParseOperation(text)
		if err != nil || op != want || op.String() != text {
			t.Errorf("%s: got %+v, %v, written %s", text, op, err, op)
		}
	}
	for _, text := range []string{
		"", "get-confg", "Get", "nc:get", "{urn:x}", "{urn:x", "{}x", "{ }x", "{urn:x}a b", "{urn:x}x:y", "{urn:x}1a", "{urn:x}{y}z",
		"{urn x}a", `{urn:"}a`, "{urn:<}a", `{urn:\}a`, "{urn:^}a", "{urn:\u00e9}a", "{urn:x}\u00e9", "{urn:x}" + strings.Repeat("a", 256), "urn:x}a", "get ",
	} {
		if op, err := ParseOperation(text); err == nil {
			t.Errorf("%q became %+v", text, op)
		} else if strings.Contains(err.Error(), strings.Repeat("a", 100)) {
			t.Errorf("%q comes back whole: %v", text, err)
		}
	}
	if op := (Operation{"", "x"}).String(); op != "{}x" {
		t.Errorf("got %s", op)
	}
}
