package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

const (
	spoolStart = 4 << 10  // the memory that a spool begins with
	spoolKeep  = 16 << 10 // and the most that it keeps between messages
	spoolPiece = 32 << 10 // what it moves to a file at once
)

// Why a spool cannot hold a message.
var (
	errTooBig = errors.New("the message is larger than a request may be")
	errNoRoom = errors.New("too much is held for requests in progress")
	errSlow   = errors.New("the request arrives too slowly")
)

// minRate is how fast a message has to arrive, in bytes a second, once it has
// taken longer than the grace: it takes room from others meanwhile.
const minRate = 16 << 10

// budget bounds what spools hold together, in bytes.
type budget struct {
	left atomic.Int64
	all  *budget // which this one is a part of; nil when it is all there is
}

func newBudget(n int64, all *budget) *budget {
	b := &budget{all: all}
	b.left.Store(n)
	return b
}

// newBudgets returns a budget for each manager, the one that it had where there
// is one. One alone can take a quarter of all, or whatever a single request may
// need.
func newBudgets(o *Options, all *budget, before map[string]*budget) map[string]*budget {
	budgets := make(map[string]*budget, len(o.Managers))
	for _, m := range o.Managers {
		if budgets[m.Name] = before[m.Name]; budgets[m.Name] == nil {
			budgets[m.Name] = newBudget(max(o.SpoolBudget/4, o.MaxMessage), all)
		}
	}
	return budgets
}

func (b *budget) take(n int64) bool {
	if b.left.Add(-n) < 0 || b.all != nil && !b.all.take(n) {
		b.left.Add(n)
		return false
	}
	return true
}

func (b *budget) give(n int64) {
	b.left.Add(n)
	if b.all != nil {
		b.all.give(n)
	}
}

// spool holds one request until it is complete and known to be sound: the
// first part in memory, the rest in a file that has no name any more.
type spool struct {
	budget *budget
	limit  int64 // of a message
	memory int   // of its part in memory
	grace  time.Duration
	dir    string

	mem   []byte
	file  *os.File
	piece []byte // on its way to the file
	size  int64
}

// fill reads the body to its end, and writes each piece to check as it
// arrives. Its errors are errTooBig, errNoRoom, errSlow, check's, body's, or the
// disk's.
func (s *spool) fill(body io.Reader, check io.Writer) error {
	begin := time.Now()
	for {
		piece := s.room()
		n, err := body.Read(piece)
		if err := s.keep(piece[:n]); err != nil {
			return err
		}
		if _, err := check.Write(piece[:n]); err != nil {
			return err
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if time.Since(begin) > s.grace+time.Duration(s.size/minRate)*time.Second {
			return errSlow
		}
	}
}

// room returns where the next piece goes: the tail of mem while there is one.
func (s *spool) room() []byte {
	if len(s.mem) < s.memory {
		if len(s.mem) == cap(s.mem) {
			s.mem = slices.Grow(s.mem, max(spoolStart, len(s.mem)))
		}
		return s.mem[len(s.mem):min(cap(s.mem), s.memory)]
	}
	if s.piece == nil {
		s.piece = make([]byte, spoolPiece)
	}
	return s.piece
}

// keep holds a piece that was read into what room returned.
func (s *spool) keep(piece []byte) error {
	n := int64(len(piece))
	if s.size+n > s.limit {
		return fmt.Errorf("%w, %d bytes", errTooBig, s.limit)
	}
	if !s.budget.take(n) {
		return errNoRoom
	}
	s.size += n
	if len(s.mem) < s.memory {
		s.mem = s.mem[:len(s.mem)+len(piece)]
		return nil
	}
	return s.keepInFile(piece)
}

func (s *spool) keepInFile(piece []byte) error {
	if s.file == nil {
		file, err := os.CreateTemp(s.dir, "callhome-gateway-request-*")
		if err != nil {
			return fmt.Errorf("%w: %w", errNoRoom, err)
		}
		// Nobody needs its name, and it is gone with the process.
		_ = os.Remove(file.Name())
		s.file = file
	}
	if _, err := s.file.Write(piece); err != nil {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return nil
}

// body returns what is held, from the start; it can be read again. A message
// that is in memory as a whole is a *bytes.Reader, which tells its length.
func (s *spool) body() io.ReadSeeker {
	if s.file == nil {
		return bytes.NewReader(s.mem)
	}
	return io.NewSectionReader(s, 0, s.size)
}

// ReadAt implements io.ReaderAt over what is held.
func (s *spool) ReadAt(p []byte, off int64) (n int, err error) {
	inMemory := int64(len(s.mem))
	if off < inMemory {
		n = copy(p, s.mem[off:])
		off += int64(n)
	}
	if n == len(p) {
		return n, nil
	}
	m, err := s.file.ReadAt(p[n:], off-inMemory)
	return n + m, err
}

// reset forgets the message.
func (s *spool) reset() {
	s.budget.give(s.size)
	s.size = 0
	if s.file != nil {
		_ = s.file.Close()
		s.file, s.piece = nil, nil
	}
	if s.mem = s.mem[:0]; cap(s.mem) > spoolKeep {
		s.mem = nil
	}
}
