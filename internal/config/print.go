package config

import (
	"bytes"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mitchellh/go-wordwrap"
)

const (
	maskText = "***"
	// shownRunes bounds what is shown of one source line.
	shownRunes = 160
	tab        = "    "
)

// Print writes every problem with its file, line and column, the source line,
// and what to do. Hints are wrapped at width columns; 0 does not wrap them.
// Color uses the escape sequences of terminals.
func (p *Problems) Print(w io.Writer, color bool, width int) error {
	for _, q := range p.list {
		if err := p.print(w, q, color, width); err != nil {
			return fmt.Errorf("write the problems of %s: %w", p.name, err)
		}
	}
	return nil
}

func (p *Problems) print(w io.Writer, q problem, color bool, width int) error {
	var b strings.Builder
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	code := "1;31"
	if q.warning {
		code = "1;33"
	}
	fmt.Fprintf(&b, "%s: %s: %s\n", paint("1", p.place(q.at)), paint(code, q.severity()), q.what)
	if line, from, to, ok := p.snippet(q); ok {
		number := fmt.Sprintf("%4d", q.at.Start.Line)
		fmt.Fprintf(&b, "%s | %s\n", number, line)
		fmt.Fprintf(&b, "%s | %s%s\n", strings.Repeat(" ", len(number)), strings.Repeat(" ", from), paint(code, strings.Repeat("^", max(1, to-from))))
	}
	if q.hint != "" {
		b.WriteString(indent(q.hint, width))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func indent(hint string, width int) string {
	if width > 20 {
		hint = wordwrap.WrapString(hint, uint(width-len(tab)))
	}
	return tab + strings.ReplaceAll(hint, "\n", "\n"+tab) + "\n"
}

// snippet returns the problem's first line as it is shown, and the columns
// there, from 0, between which the problem is.
func (p *Problems) snippet(q problem) (line string, from, to int, ok bool) {
	start := q.at.Start.Byte
	if q.at.Start.Line == 0 || start > len(p.src) {
		return "", 0, 0, false
	}
	first := bytes.LastIndexByte(p.src[:start], '\n') + 1
	last := len(p.src)
	if n := bytes.IndexByte(p.src[start:], '\n'); n >= 0 {
		last = start + n
	}
	line, from, to = p.show(span{first, last}, span{start, min(q.at.End.Byte, last)})
	line, from, to = clip(line, from, to)
	return line, from, to, true
}

// show renders one line with its secrets masked and nothing in it that a
// terminal would obey.
func (p *Problems) show(line, subject span) (text string, from, to int) {
	var b strings.Builder
	columns := 0
	write := func(s string) {
		b.WriteString(s)
		columns += utf8.RuneCountInString(s)
	}
	from = -1
	for off := line.start; off < line.end; {
		if from < 0 && off >= subject.start {
			from = columns
		}
		s, size := p.showAt(off)
		write(s)
		if off += size; off <= subject.end || to == 0 && off > subject.start {
			to = columns
		}
	}
	if from < 0 {
		from, to = columns, columns
	}
	return strings.TrimRight(b.String(), " "), from, to
}

// showAt renders what is at one place of the source, and says how many bytes
// of the source that is.
func (p *Problems) showAt(off int) (string, int) {
	i := sort.Search(len(p.masks), func(i int) bool { return p.masks[i].end > off })
	if i < len(p.masks) && p.masks[i].start <= off {
		hidden := p.src[off:p.masks[i].end]
		if n := bytes.IndexByte(hidden, '\n'); n > 0 {
			hidden = hidden[:n]
		}
		return maskText, len(hidden)
	}
	r, size := utf8.DecodeRune(p.src[off:])
	switch {
	case r == '\t':
		return tab, size
	case r == '\r':
		return "", size
	case !unicode.IsPrint(r):
		return string(utf8.RuneError), size
	}
	return string(r), size
}

// clip cuts a long line to the part around the problem.
func clip(line string, from, to int) (string, int, int) {
	runes := []rune(line)
	if len(runes) <= shownRunes {
		return line, from, to
	}
	first := max(0, min(from-shownRunes/4, len(runes)-shownRunes))
	last := first + shownRunes
	return string(runes[first:last]), from - first, min(to, last) - first
}
