package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

const hostile = "evil\x1b[31m\n"

func (g *fakeGateway) note(what string, arg any) {
	g.asked = strings.TrimSpace(fmt.Sprintf("%s %+v", what, arg))
}

func (g *fakeGateway) Reload(context.Context) (control.ReloadResult, error) {
	return control.ReloadResult{Warnings: []string{hostile}, NeedRestart: []string{"state_dir"}, Links: 1, Sessions: 2}, nil
}

func (g *fakeGateway) ApproveList(_ context.Context, list string) ([]control.Device, error) {
	g.note("approve", list)
	if list == "bad" {
		return nil, fmt.Errorf("%w: line 1: it is bad", control.ErrInvalid)
	}
	return []control.Device{{Name: "edge-1"}}, nil
}

func (g *fakeGateway) Rename(_ context.Context, r control.RenameRequest) (control.Device, error) {
	return control.Device{Name: r.Name}, nil
}

func (g *fakeGateway) Trace(ctx context.Context, device string, w io.Writer) error {
	if device == "edge-9" {
		return fmt.Errorf("tracing %q: %w", device, auth.ErrUnknownDevice)
	}
	_, err := io.WriteString(w, "<rpc/>\n")
	switch device {
	case "edge-7":
		<-ctx.Done()
		return ctx.Err()
	case "edge-8":
		return errors.Join(err, errors.New("the device was forgotten"))
	}
	return err
}

func (g *fakeGateway) CallhomeServer(context.Context) (control.CallhomeServer, error) {
	return control.CallhomeServer{Running: true, Since: time.Now(), Listeners: []control.CallhomeAddress{
		{Transport: "ssh", Address: "0.0.0.0:4334", Listening: true}, {Listener: "olts", Transport: "tls", Address: "0.0.0.0:4435"}}}, nil
}

func (g *fakeGateway) StartCallhome(_ context.Context, r control.StartRequest) (control.CallhomeServer, error) {
	given, _ := json.Marshal(r)
	g.note("start", string(given))
	return control.CallhomeServer{Running: true}, nil
}

func (g *fakeGateway) StopCallhome(context.Context) (control.CallhomeServer, error) {
	return control.CallhomeServer{}, nil
}

func (g *fakeGateway) CallhomeUsers(context.Context) ([]control.CallhomeUser, error) {
	return []control.CallhomeUser{{Order: 1, Name: "fleet", Username: "netconf", From: control.FromFlag},
		{Name: "old", From: control.FromSaved, Since: time.Now(), Problem: hostile}}, nil
}

func (g *fakeGateway) AddCallhomeUser(_ context.Context, name string) error {
	g.note("add", name)
	return nil
}

func (g *fakeGateway) RemoveCallhomeUser(_ context.Context, name string) error {
	if name == "fleet" {
		return fmt.Errorf("callhome-user %q: %w", name, control.ErrConfigured)
	}
	return nil
}

func (g *fakeGateway) Users(context.Context) ([]control.User, error) {
	return []control.User{{Name: "fleet", Username: "netconf", Methods: []string{"password", "private-key"}, Callhome: 1, From: control.FromFile},
		{Name: "old", Username: hostile, Methods: []string{"password"}, From: control.FromSaved, Since: time.Now(), Problem: "the file has one"}}, nil
}

func (g *fakeGateway) SaveUser(_ context.Context, r control.SaveUserRequest) (control.User, error) {
	g.note("save", r)
	return control.User{Name: r.Name, Callhome: 2}, nil
}

func (g *fakeGateway) RemoveUser(_ context.Context, name string) error {
	if name == "fleet" {
		return fmt.Errorf("user %q: %w: session edge-1 has it", name, control.ErrInUse)
	}
	return nil
}

func (g *fakeGateway) Sessions(context.Context) ([]control.SessionEntry, error) {
	return []control.SessionEntry{{Name: "edge-1", State: control.StateConnected, Address: "192.0.2.1", Transport: "ssh", User: "fleet",
		Port: 20001, Identities: []string{"SHA256:one", hostile}, From: control.FromSaved, Since: time.Now()}}, nil
}

func (g *fakeGateway) SaveSession(_ context.Context, r control.SaveSessionRequest) (control.SessionEntry, error) {
	g.note("save", r)
	return control.SessionEntry{Name: "edge-1", HCL: "session \"edge-1\" {\n}\n"}, nil
}

func (g *fakeGateway) RemoveSession(context.Context, string) error { return nil }

func (g *fakeGateway) Failures(context.Context) ([]control.Failure, error) {
	return []control.Failure{{Device: "edge-1", User: "fleet", Identity: "SHA256:one", Since: time.Now(), Expires: time.Now().Add(time.Hour)}}, nil
}

func (g *fakeGateway) ClearFailures(_ context.Context, f control.FailureFilter) (int, error) {
	g.note("clear", f)
	return 1, nil
}

func (g *fakeGateway) Events(context.Context) ([]control.Event, error) {
	return []control.Event{{Number: 1, Kind: control.EventConnected, Device: "edge-1", Address: "192.0.2.1:1234", Detail: hostile},
		{Number: 2, Kind: control.EventRejected, Device: "edge-2", Reason: "failed-login", Detail: "refused", Unsaid: 17},
		{Number: 3, Kind: control.EventSessionBegin, Device: "edge-1", Manager: "noc"}}, nil
}

func (g *fakeGateway) Follow(ctx context.Context, tell func(control.Event) error) error {
	list, _ := g.Events(ctx)
	for _, e := range list {
		if err := tell(e); err != nil {
			return err
		}
	}
	return nil
}

func TestRunTimeCommands(t *testing.T) {
	g, socket := startFake(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(bad, []byte("bad"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args   string
		status int
		asked  string
		want   []string
	}{
		"reload":                  {"reload", 0, "", []string{"1 link and 2 manager sessions ended", `warning: "evil\x1b[31m\n"`, "needs a restart: state_dir"}},
		"rename":                  {"device rename edge-1 edge-2", 0, "", []string{"renamed edge-1 as edge-2"}},
		"rename nothing":          {"device rename edge-1", 2, "", []string{"NAME is missing"}},
		"approve a list":          {"device approve --file -", 0, "approve sesame", []string{"approved 1 device: each is let in when it calls\n"}},
		"approve a bad list":      {"device approve --file " + bad, 1, "approve bad", []string{bad + ": invalid request: line 1: it is bad"}},
		"approve no list":         {"device approve --file nowhere", 1, "", []string{"reading the list: open nowhere"}},
		"approve two things":      {"device approve --file - --name edge-1", 2, "", []string{"--file FILE stands alone"}},
		"approve more things":     {"device approve --file - SHA256:abc", 2, "", []string{"--file FILE stands alone"}},
		"callhome-server":         {"callhome-server status", 0, "", []string{"calls are accepted, by an operator's command 0s ago", "LISTENER", "0.0.0.0:4334  listening", "olts      tls        0.0.0.0:4435  closed"}},
		"start":                   {"callhome-server start --address 192.0.2.1 --port 4334 --tls-port 0", 0, `start {"address":"192.0.2.1","port":4334,"tls_port":0}`, []string{"calls are accepted\n"}},
		"start as configured":     {"callhome-server start", 0, "start {}", nil},
		"start on no port":        {"callhome-server start --port 65536", 2, "", []string{"--port: 65536 is not a port"}},
		"start on no address":     {"callhome-server start --address=", 2, "", []string{"--address is empty"}},
		"stop":                    {"callhome-server stop", 0, "", []string{"calls are not accepted"}},
		"callhome-users":          {"callhome-user list", 0, "", []string{"1      fleet  netconf   flag", "-      old", "Saved, and without effect:\n  old: \"evil\\x1b[31m\\n\""}},
		"add":                     {"callhome-user add fleet", 0, "add fleet", []string{"added fleet"}},
		"remove what is in file":  {"callhome-user remove old fleet", 1, "", []string{"removed old", "it is in the configuration file"}},
		"users":                   {"user list", 0, "", []string{"password, private-key", "CALLHOME-USER", `"evil\x1b[31m\n"`, "  old: the file has one"}},
		"save a user":             {"user save fleet --username netconf --password-stdin --callhome", 0, "save {Name:fleet Username:netconf Password:sesame PrivateKey: Callhome:true}", []string{"saved user fleet, callhome-user 2"}},
		"save a user with a key":  {"user save fleet --username netconf --private-key " + key, 0, "save {Name:fleet Username:netconf Password: PrivateKey:-----BEGIN Callhome:false}", nil},
		"save a user with both":   {"user save fleet --username netconf --password-stdin --private-key " + key, 0, "save {Name:fleet Username:netconf Password:sesame PrivateKey:-----BEGIN Callhome:false}", nil},
		"save a user without":     {"user save fleet --username netconf", 2, "", []string{"--password-stdin", "--private-key"}},
		"save a user without one": {"user save fleet --password-stdin", 2, "", []string{"--username is missing"}},
		"save a user, no key":     {"user save fleet --username netconf --private-key nowhere", 1, "", []string{"reading the private key: open nowhere"}},
		"remove a used user":      {"user remove fleet", 1, "", []string{"in use: session edge-1 has it"}},
		"remove a user":           {"user remove old", 0, "", []string{"removed user old"}},
		"sessions":                {"session list", 0, "", []string{"edge-1  connected  192.0.2.1  ssh        fleet  20001  -         saved", `"SHA256:one, evil\x1b[31m\n"`}},
		"save a session":          {"session save dev-1 --name edge-1", 0, "save {Device:dev-1 Name:edge-1 Show:false}", []string{"saved session edge-1"}},
		"show a session":          {"session save dev-1 --hcl", 0, "save {Device:dev-1 Name: Show:true}", []string{"session \"edge-1\" {\n}\n"}},
		"remove a session":        {"session remove edge-1", 0, "", []string{"removed session edge-1"}},
		"failures":                {"failure list", 0, "", []string{"edge-1  fleet  0s ago", "SHA256:one"}},
		"clear":                   {"failure clear --device edge-1 --user fleet", 0, "clear {Device:edge-1 User:fleet}", []string{"forgot 1 refused login\n"}},
		"clear all":               {"failure clear --all", 0, "clear {Device: User:}", nil},
		"clear nothing":           {"failure clear", 2, "", []string{"--all"}},
		"clear some and all":      {"failure clear --all --user fleet", 2, "", []string{"--all"}},
		"events":                  {"events", 0, "", []string{`edge-1                192.0.2.1:1234         "evil\x1b[31m\n"`, "failed-login: refused (and 17 more like it before)", "noc on edge-1 "}},
		"follow":                  {"events --follow", 0, "", []string{"failed-login: refused (and 17 more like it before)"}},
		"trace":                   {"device trace edge-1", 0, "", []string{"<rpc/>\n"}},
		"trace for a while":       {"device trace edge-7 --duration 50ms", 0, "", nil},
		"trace for no time":       {"device trace edge-1 --duration 0s", 2, "", []string{"--duration 0s"}},
		"trace what is unknown":   {"device trace edge-9", 1, "", []string{"no such device"}},
		"force nothing":           {"device trace edge-1 --force", 2, "", []string{"--force is about the file of --output"}},
		"trace to nowhere":        {"device trace edge-1 --output=", 2, "", []string{"--output is empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			g.asked = ""
			var out, errOut bytes.Buffer
			status := run(append(strings.Fields(c.args), "--socket", socket), strings.NewReader("sesame\n"), &out, &errOut)
			if status != c.status || c.asked != "" && g.asked != c.asked {
				t.Errorf("exit status %d, want %d; asked %q", status, c.status, g.asked)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String()+errOut.String(), want) {
					t.Errorf("%q is missing in:\n%s%s", want, &out, &errOut)
				}
			}
			if strings.ContainsRune(out.String()+errOut.String(), '\x1b') {
				t.Error("an escape sequence reaches the terminal")
			}
		})
	}
}

func TestRunTimeCommandsInJSON(t *testing.T) {
	_, socket := startFake(t)
	for args, fields := range map[string]string{
		"callhome-user list":              "order name username from",
		"user list":                       "name username methods callhome from",
		"session list":                    "name state identities port from",
		"session save edge-1":             "name hcl",
		"failure list":                    "device user identity since expires",
		"failure clear --all":             "cleared",
		"events":                          "number time kind device",
		"device approve --file /dev/null": "name state identity",
		"device rename edge-1 a":          "name state",
		"user save a --username b --private-key /dev/null": "name callhome",
	} {
		r := runWith(socket, append(strings.Fields(args), "--json")...)
		var list []map[string]any
		if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) == 0 {
			t.Errorf("%s: %v\n%s%s", args, err, r.out, r.err)
			continue
		}
		for field := range strings.FieldsSeq(fields) {
			if _, ok := list[0][field]; !ok {
				t.Errorf("%s: field %q is missing", args, field)
			}
		}
	}
	for args, field := range map[string]string{"reload": "need_restart", "callhome-server status": "listeners", "callhome-server stop": "running"} {
		var object map[string]any
		r := runWith(socket, append(strings.Fields(args), "--json")...)
		if err := json.Unmarshal([]byte(r.out), &object); err != nil || object[field] == nil {
			t.Errorf("%s: %v\n%s%s", args, err, r.out, r.err)
		}
	}
}

func TestEventsThatAreFollowedAreLinesOfJSON(t *testing.T) {
	_, socket := startFake(t)
	lines := strings.Split(strings.TrimSpace(runWith(socket, "events", "--follow", "--json").out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		var e control.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestATraceGoesToAFileOfItsOwn(t *testing.T) {
	_, socket := startFake(t)
	path := filepath.Join(t.TempDir(), "trace")
	trace := func(device string, more ...string) result {
		return runWith(socket, append([]string{"device", "trace", device, "--output", path}, more...)...)
	}
	content := func() string {
		text, err := os.ReadFile(path)
		if err != nil {
			return err.Error()
		}
		return string(text)
	}
	if r := trace("edge-9"); r.status != 1 || !strings.Contains(content(), "no such file") {
		t.Errorf("an unknown device: %d, the file has %q", r.status, content())
	}
	if r := trace("edge-1"); r.status != 0 || content() != "<rpc/>\n" {
		t.Errorf("%d %s: the file has %q", r.status, r.err, content())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if r := trace("edge-1"); r.status != 1 || !strings.Contains(r.err, "--force") {
		t.Errorf("a second one: %d %s", r.status, r.err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := trace("edge-8", "--force"); r.status != 1 || !strings.Contains(r.err, "the device was forgotten") || content() != "<rpc/>\n" {
		t.Errorf("one that breaks off: %d %s, the file has %q", r.status, r.err, content())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("replaced: %v %v", info.Mode(), err)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		if cmd.Long == "" || cmd.Short == "" || !strings.Contains(cmd.Example, programName) {
			t.Errorf("%s has no help", cmd.CommandPath())
		}
		for _, sub := range cmd.Commands() {
			look(sub)
		}
	}
	for _, cmd := range newRoot().Commands() {
		if cmd.Name() != "completion" { // cobra's own
			look(cmd)
		}
	}
}

func TestCompletionOffersNames(t *testing.T) {
	_, socket := startFake(t)
	for args, want := range map[string]string{
		"callhome-user add":    "fleet\nold\n",
		"callhome-user remove": "old\n",
		"user remove":          "old\n",
		"session save":         "edge-1\n",
		"session remove":       "edge-1\n",
		"device rename":        "edge-1\nedge-2\n",
		"device rename edge-1": ":4\n",
	} {
		var out, errOut bytes.Buffer
		run(append(append([]string{"__complete"}, strings.Fields(args)...), "--socket", socket, ""), strings.NewReader(""), &out, &errOut)
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %q, want %q", args, out.String(), want)
		}
	}
}
