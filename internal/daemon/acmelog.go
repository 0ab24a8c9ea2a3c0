package daemon

import (
	"fmt"
	"log"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap/zapcore"
)

// maxLogText bounds what a CA's answer takes up in a log line.
const maxLogText = 1000

// zapCore carries the log of certmagic into ours. Its messages are values here,
// for they may hold what a CA sent, and a level less: it tells every step.
type zapCore struct {
	log    hclog.Logger
	fields []zapcore.Field
}

func hclogLevel(l zapcore.Level) hclog.Level {
	switch {
	case l >= zapcore.ErrorLevel:
		return hclog.Error
	case l == zapcore.WarnLevel:
		return hclog.Warn
	case l == zapcore.InfoLevel:
		return hclog.Debug
	}
	return hclog.Trace
}

// Enabled implements zapcore.Core.
func (c zapCore) Enabled(l zapcore.Level) bool { return hclogLevel(l) >= c.log.GetLevel() }

// With implements zapcore.Core.
func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{log: c.log, fields: slices.Concat(c.fields, fields)}
}

// Check implements zapcore.Core.
func (c zapCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range slices.Concat(c.fields, fields) {
		f.AddTo(values)
	}
	args := []any{"event", cut(e.Message)}
	for _, key := range slices.Sorted(maps.Keys(values.Fields)) {
		args = append(args, key, cut(fmt.Sprint(values.Fields[key])))
	}
	c.log.Log(hclogLevel(e.Level), "certmagic", args...)
	return nil
}

// Sync implements zapcore.Core.
func (c zapCore) Sync() error { return nil }

func cut(s string) string {
	if len(s) > maxLogText {
		return s[:maxLogText] + "..."
	}
	return s
}

// standardLog carries lines of the standard library's log into ours.
type standardLog struct{ log hclog.Logger }

func (l standardLog) Write(line []byte) (int, error) {
	l.log.Warn("a library has logged", "text", cut(strings.TrimSpace(string(line))))
	return len(line), nil
}

func standardLogger(l hclog.Logger) *log.Logger { return log.New(standardLog{l}, "", 0) }

// carryStandardLog has what libraries write to the global log come into ours,
// until the function that it returns is called.
func carryStandardLog(l hclog.Logger) (restore func()) {
	out, flags := log.Writer(), log.Flags()
	log.SetOutput(standardLog{l})
	log.SetFlags(0)
	return func() {
		log.SetOutput(out)
		log.SetFlags(flags)
	}
}
