package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func printed(t *testing.T, src string, color bool, width int) string {
	t.Helper()
	_, p := load("x.hcl", openFile{content: []byte(src)}, Options{Offline: true, Getenv: testGetenv})
	var b bytes.Buffer
	if err := p.Print(&b, color, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintMasksSecretsWhereverTheyStand(t *testing.T) {
	for name, src := range map[string]string{
		"literal":          "password = \"hunter2\"\n",
		"number":           "password = 77hunter2\n",
		"no quotes":        "password = hunter2 hunter2\n",
		"no equals sign":   "password \"hunter2\"\n",
		"open string":      "password = \"hunter2\n",
		"misspelt":         "paswordd = \"hunter2\"\n",
		"in one line":      "user \"a\" { password = \"hunter2\" }\n",
		"in a list":        "private_keys = [\n  \"hunter2\", 1,\n  hunter2]\n",
		"in a heredoc":     "password = <<EOT\nhunter2\nEOT extra\n",
		"in a template":    "password = \"a${env(\"NOT_SET\")}hunter2\"\n",
		"in a call":        "password = lower(\"hunter2\")\n",
		"after a call":     "password = env(\"NOT_SET\") == \"hunter2\"\n",
		"behind a comment": "/* x */ password = \"hunter2\"\n",
		"in an object":     "password = { a = \"hunter2\" }\n",
		"unknown block":    "tlss {\n  keys = \"hunter2\"\n}\n",
		"a key in place":   "gateway {\n  tls_port = 1\n  tls {\n    certificate = \"pki/gateway.pem\"\n    key = \"-----BEGIN hunter2\"\n  }\n}\n",
		"after a newline":  "callhome {\n}\npassword = (\n\"hunter2\"\n)\n",
		"no UTF-8":         "password = \"hunter2\xff\"\n",
		"spaces in front":  "\t  password=\"hunter2\"\n",
	} {
		got := printed(t, src, true, 80)
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: %s", name, got)
		}
		if got == "" {
			t.Errorf("%s: no problem was found", name)
		}
	}
}

// A private key where a public one or the name of a file should be.
func TestPrintShowsNoMisplacedPrivateKey(t *testing.T) {
	inTestdata(t)
	const pasted = `"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2"`
	write(t, "key", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n"))
	for name, c := range map[string]struct{ block, want string }{
		"user_ca":              {"gateway {\n  user_ca = [" + pasted + "]\n}\n", "not a public key"},
		"user_ca in a heredoc": {"gateway {\n  user_ca = [<<EOT\n-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\nEOT\n  ]\n}\n", "not a public key"},
		"host_ca":              {"user \"a\" {\n  host_ca {\n    keys = [" + pasted + "]\n  }\n}\n", "not a public key"},
		"authorized_keys":      {"manager \"a\" {\n  authorized_keys = [" + pasted + "]\n}\n", "not a public key"},
		"host_keys, pasted":    {"gateway {\n  host_keys = [" + pasted + "]\n}\n", "not its name"},
		"host_keys, file":      {"gateway {\n  host_keys = [file(\"key\")]\n}\n", "not its name"},
		"file of a file":       {"user \"a\" {\n  private_key = file(file(\"key\"))\n}\n", "not its name"},
		"command":              {"callhome {\n  user_select {\n    command = [file(\"key\")]\n  }\n}\n", "not its name"},
	} {
		if got := printed(t, c.block, false, 0); strings.Contains(got, "hunter2") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestPrintShowsWhereSecretsComeFrom(t *testing.T) {
	got := printed(t, "user \"a\" {\n  username = \"b\"\n  password = env(\"NOT_SET\")\n}\n", false, 80)
	if !strings.Contains(got, `password = env("NOT_SET")`) {
		t.Error(got)
	}
}

func TestPrintColors(t *testing.T) {
	got := printed(t, "gateway {\n\tport = 70000\n}\n", true, 0)
	want := "\x1b[1mx.hcl:2:9\x1b[0m: \x1b[1;31merror\x1b[0m: port must be a whole number from 0 to 65535\n" +
		"   2 |     port = 70000\n     |            \x1b[1;31m^^^^^\x1b[0m\n\n"
	if !strings.Contains(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestPrintObeysNoControlCharacters(t *testing.T) {
	if got := printed(t, "state_dir = \"\x1b[2J\" + 1\n", false, 80); strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

func TestPrintCutsLongLines(t *testing.T) {
	src := "callhome { " + strings.Repeat(" ", 10000) + "port = 70000" + strings.Repeat(" ", 10000) + "}\n"
	for line := range strings.Lines(printed(t, src, false, 80)) {
		if len(line) > shownRunes+10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestPrintReturnsTheErrorOfTheWriter(t *testing.T) {
	_, p := Load("testdata/missing.hcl", Options{})
	if err := p.Print(brokenWriter{}, false, 80); err == nil {
		t.Error("no error")
	}
}
