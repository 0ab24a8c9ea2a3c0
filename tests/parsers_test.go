package tests

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"callhome-gateway/auth"
	"callhome-gateway/internal/netconf"
	"callhome-gateway/tests/harness"
)

// What is an rpc to the gateway is the same rpc to the parsers of devices: none
// sees another operation, or another datastore, than the access rules saw.
func TestParsersSeeWhatTheAccessRulesSee(t *testing.T) {
	t.Parallel()
	const documents, batch = 100_000, 500
	parsers := harness.StartXMLParsers(t)
	seed := uint64(time.Now().UnixNano())
	m := &xmlMaker{Rand: rand.New(rand.NewPCG(seed, 0))}
	var tally parserTally
	for range documents / batch {
		tally.compare(t, parsers, m.some(batch)...)
	}
	t.Logf("seed %d: %d documents, %s", seed, documents, &tally)
	if tally.passed < documents/10 || tally.permitted < documents/100 {
		t.Error("too few of them pass for this to show anything")
	}
}

func (m *xmlMaker) some(n int) (all []string) {
	for range n {
		all = append(all, m.document())
	}
	return all
}

// FuzzParsersSeeWhatTheAccessRulesSee lets the checker's own branches lead.
func FuzzParsersSeeWhatTheAccessRulesSee(f *testing.F) {
	m := &xmlMaker{Rand: rand.New(rand.NewPCG(1, 0))}
	for _, doc := range m.some(200) {
		f.Add(doc)
	}
	parsers := harness.StartXMLParsers(f)
	f.Fuzz(func(t *testing.T, doc string) { new(parserTally).compare(t, parsers, doc) })
}

// parserTally counts what became of documents.
type parserTally struct {
	passed, permitted int // by the checker, and by access as read-only
	refused           map[string]int
}

func (c *parserTally) String() string {
	return fmt.Sprintf("%d sound rpcs, %d of them for who may only read; refused all the same: %v", c.passed, c.permitted, c.refused)
}

// compare has the documents that the gateway would forward read by all parsers.
func (c *parserTally) compare(t *testing.T, parsers *harness.XMLParsers, documents ...string) {
	t.Helper()
	var heads []netconf.Head
	documents = slices.DeleteFunc(documents, func(doc string) bool {
		head, ok := sound(doc)
		if ok {
			heads = append(heads, head)
		}
		return !ok
	})
	readings, err := parsers.Read(documents...)
	if err != nil {
		t.Fatal(err)
	}
	readOnly := &auth.Access{ReadOnly: true}
	for i, head := range heads {
		c.passed++
		if readOnly.Permits(auth.Operation{Namespace: head.Op.Space, Name: head.Op.Local}, head.Target) {
			c.permitted++
		}
		for _, r := range readings[i] {
			switch err := c.differs(head, r); {
			case err == errRefused && isASCII(documents[i]) && r.Strict, err != nil && err != errRefused:
				t.Errorf("%s and the gateway differ on %q: %v", r.Parser, documents[i], err)
			}
		}
	}
}

// sound returns the head of a document that the gateway forwards to who may do
// everything.
func sound(doc string) (netconf.Head, bool) {
	c := netconf.NewChecker()
	_, _ = c.Write([]byte(doc)) // Finish has the error
	head, err := c.Finish()
	return head, err == nil && head.Kind == netconf.KindRPC && !head.Ambiguous
}

// errRefused is what no harm comes from: the device does nothing. A sound parser
// has no reason to, but expat has the names of XML 1.0's fourth edition.
var errRefused = errors.New("it is refused")

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// differs says where a parser sees something else than is in the head.
func (c *parserTally) differs(head netconf.Head, r harness.Reading) error {
	if len(r.Seen) == 0 {
		if c.refused == nil {
			c.refused = map[string]int{}
		}
		c.refused[r.Parser]++
		return errRefused
	}
	if root := r.Seen[0]; root.Space != harness.BaseNamespace || root.Local != "rpc" {
		return fmt.Errorf("the root is %+v", root)
	}
	inOperation, err := operationOf(head, r.Seen[1:])
	if err != nil {
		return err
	}
	if target := targetOf(head.Op, inOperation); head.Target != target {
		return fmt.Errorf("the datastore is %q, not %q", target, head.Target)
	}
	if head.Op == (netconf.Name{Space: harness.BaseNamespace, Local: "kill-session"}) {
		return sameSession(head.SessionID, inOperation)
	}
	return nil
}

// operationOf returns what is in the operation, if that is the one of the head.
func operationOf(head netconf.Head, seen []harness.Seen) ([]harness.Seen, error) {
	var inside []harness.Seen
	for i, e := range seen {
		switch {
		case e.Depth == 2 && i > 0:
			return nil, fmt.Errorf("there is a second operation, %+v", e)
		case e.Depth == 2 && (e.Space != head.Op.Space || e.Local != head.Op.Local):
			return nil, fmt.Errorf("the operation is %+v, not %+v", e, head.Op)
		case e.Depth > 2:
			inside = append(inside, e)
		}
	}
	if len(seen) == 0 && head.Op != (netconf.Name{}) {
		return nil, fmt.Errorf("there is no operation, but %+v", head.Op)
	}
	return inside, nil
}

// targets are the arguments that name a datastore.
var targets = map[netconf.Name]string{
	{Space: harness.BaseNamespace, Local: "get-config"}:    "source",
	{Space: harness.BaseNamespace, Local: "edit-config"}:   "target",
	{Space: harness.BaseNamespace, Local: "copy-config"}:   "target",
	{Space: harness.BaseNamespace, Local: "delete-config"}: "target",
	{Space: harness.BaseNamespace, Local: "lock"}:          "target",
	{Space: harness.BaseNamespace, Local: "unlock"}:        "target",
	{Space: harness.BaseNamespace, Local: "validate"}:      "source",
	{Space: netconf.NamespaceNMDA, Local: "get-data"}:      "datastore",
	{Space: netconf.NamespaceNMDA, Local: "edit-data"}:     "datastore",
}

// targetOf returns the datastore as a Head has it: the first element in the
// argument, or its text.
func targetOf(op netconf.Name, inside []harness.Seen) string {
	argument := targets[op]
	i := slices.IndexFunc(inside, func(e harness.Seen) bool { return e.Depth == 3 && e.Local == argument })
	switch {
	case argument == "" || i < 0:
		return ""
	case argument == "datastore":
		_, name, found := strings.Cut(strings.TrimSpace(inside[i].Text), ":")
		if !found {
			return strings.TrimSpace(inside[i].Text)
		}
		return name
	case i+1 == len(inside) || inside[i+1].Depth != 4:
		return ""
	}
	if first := inside[i+1]; first.Space != harness.BaseNamespace {
		return "{" + first.Space + "}" + first.Local
	}
	return inside[i+1].Local
}

// sameSession compares the argument of kill-session as devices do, if it is one
// that the gateway lets pass: a plain number.
func sameSession(id string, inside []harness.Seen) error {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || strconv.FormatUint(n, 10) != id {
		return nil
	}
	for _, e := range inside {
		if e.Depth == 3 && e.Local == "session-id" && strings.TrimSpace(e.Text) != id {
			return fmt.Errorf("the session is %q, not %s", e.Text, id)
		}
	}
	return nil
}
