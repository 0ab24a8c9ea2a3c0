package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"callhome-gateway/callhome"
)

// hookCommand is a program that reads a question from its standard input and
// writes the answer to its standard output.
type hookCommand struct {
	path string
	args []string
}

func newHookCommand(command []string) (*hookCommand, error) {
	path, err := filepath.Abs(command[0]) // a bare name would be looked for in PATH
	if err != nil {
		return nil, fmt.Errorf("the command of user_select: %w", err)
	}
	return &hookCommand{path: path, args: command[1:]}, nil
}

// hookEnvironment is what a program gets to see of the gateway's environment,
// which has secrets in it.
var hookEnvironment = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"}

// afterExit is how long the output of a program that has ended may stay open in
// a process that it has left behind; that it is read takes a moment on a busy
// machine.
const afterExit = time.Second

func (h *hookCommand) ask(ctx context.Context, question []byte) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.path, h.args...)
	answer, complaint := &bounded{most: maxHookAnswer, over: cancel}, &bounded{most: 1 << 10}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(question, '\n')), answer, complaint
	cmd.Env, cmd.WaitDelay = environment(), afterExit
	ownGroup(cmd)
	cmd.Cancel = func() error { return killGroup(cmd) }
	err := cmd.Run()
	if cmd.Process != nil {
		_ = killGroup(cmd) // what it has left behind
	}
	switch {
	case answer.full:
		return nil, errHookAnswerTooLong
	case errors.Is(err, exec.ErrWaitDelay):
		return nil, fmt.Errorf("%s has ended and left a process behind that holds its output open: send the output of that elsewhere", filepath.Base(h.path))
	case err != nil:
		return nil, fmt.Errorf("%s: %w%s", filepath.Base(h.path), err, complaint.firstLine())
	}
	return answer.kept, nil
}

func environment() (env []string) {
	for _, name := range hookEnvironment {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept []byte
	most int
	// over, if not nil, is called when there is more.
	over func()
	full bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(len(p), b.most-len(b.kept))
	b.kept = append(b.kept, p[:room]...)
	if b.full = b.full || room < len(p); b.full && b.over != nil {
		b.over()
	}
	return len(p), nil
}

// firstLine returns ": " and the first line that is not blank, quoted.
func (b *bounded) firstLine() string {
	lines := strings.FieldsFunc(string(b.kept), func(r rune) bool { return r == '\n' || r == '\r' })
	i := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) != "" })
	if i < 0 {
		return ""
	}
	return ": " + callhome.Quote(strings.TrimSpace(lines[i]))
}
