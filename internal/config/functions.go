package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

const (
	// maxFile bounds the configuration file and every file that it names, in bytes.
	maxFile = 1 << 20
	// maxListFile is for revocation lists: one of 100,000 entries has 4 MiB.
	maxListFile = 32 << 20
)

// An absentError is about something that another machine may well have: with
// Options.Offline it is a warning.
type absentError struct{ what, hint string }

func (e *absentError) Error() string { return e.what }

// functions returns what expressions may call. They cannot tell their caller
// where they are called from: errors get their place from hcl.
func (d *decoder) functions() map[string]function.Function {
	return map[string]function.Function{
		"env":  stringFunction("name", d.env),
		"file": stringFunction("path", d.file),
	}
}

func stringFunction(parameter string, f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: parameter, Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), err
			}
			return cty.StringVal(s), nil
		},
	})
}

func (d *decoder) env(name string) (string, error) {
	if value, ok := d.getenv(name); ok {
		return value, nil
	}
	return "", &absentError{
		what: fmt.Sprintf("the environment variable %q is not set", name),
		hint: "set it in the environment of callhome-gateway, for example in the unit file of the service",
	}
}

func (d *decoder) file(name string) (string, error) {
	f, err := readFile(d.path(name))
	if err != nil {
		return "", err
	}
	if !utf8.Valid(f.content) {
		return "", fmt.Errorf("%s is not a text file", f.path)
	}
	d.read = append(d.read, f)
	return string(f.content), nil
}

// path returns a path of the file as seen from this process: relative ones are
// relative to the configuration file.
func (d *decoder) path(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(d.dir, name)
}

// openFile is a file that was read, and whether others may do so as well.
type openFile struct {
	path    string
	content []byte
	exposed bool
}

// errContents is for a key, perhaps, where its file should be named: no message
// quotes it.
var errContents = errors.New("this is what is in a file, not its name: give the name, without file()")

func isContents(name string) bool {
	return strings.Contains(name, "-----BEGIN") || strings.Contains(name, "\n")
}

// readFile reads a regular file. Others are not opened for good: a FIFO would
// block the start for ever.
func readFile(path string) (openFile, error) { return readUpTo(path, maxFile) }

func readUpTo(path string, most int64) (openFile, error) {
	if isContents(path) {
		return openFile{}, errContents
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return openFile{}, &absentError{what: fmt.Sprintf("cannot read %s: %s", path, cause(err)), hint: readHint(err)}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return openFile{}, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	if !info.Mode().IsRegular() {
		return openFile{}, fmt.Errorf("cannot read %s: it is not a regular file", path)
	}
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return openFile{}, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	if int64(len(content)) > most {
		return openFile{}, fmt.Errorf("cannot read %s: it is larger than %d MiB", path, most>>20)
	}
	return openFile{path: path, content: content, exposed: info.Mode().Perm()&0o004 != 0}, nil
}

// cause strips the operation and the path, which the message has already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func readHint(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "relative paths start at the directory of the configuration file"
	case errors.Is(err, fs.ErrPermission):
		return "let the user that callhome-gateway runs as read it"
	}
	return ""
}

// warnExposed warns about a file with secrets that everyone can read.
func (d *decoder) warnExposed(at hcl.Range, f openFile) {
	if f.exposed && !d.offline {
		d.problems.warn(at, fmt.Sprintf("chmod o-rwx %s", f.path), "every user of this machine can read %s", f.path)
	}
}

// translate words the errors of the functions above as what they are, and
// turns those that only this machine has into warnings.
func (d *decoder) translate(diags hcl.Diagnostics) (passed hcl.Diagnostics) {
	for _, diag := range diags {
		call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag)
		if !ok || call.FunctionCallError() == nil || diag.Subject == nil {
			passed = append(passed, diag)
			continue
		}
		d.fault(*diag.Subject, call.FunctionCallError())
	}
	return passed
}

// fault reports an error of reading what the file refers to.
func (d *decoder) fault(at hcl.Range, err error) {
	var absent *absentError
	isAbsent := errors.As(err, &absent)
	switch {
	case isAbsent && d.offline:
		d.problems.warn(at, absent.hint, "%s", absent.what)
	case isAbsent:
		d.problems.fail(at, absent.hint, "%s", absent.what)
	default:
		d.problems.fail(at, "", "%s", strings.TrimSpace(err.Error()))
	}
}
