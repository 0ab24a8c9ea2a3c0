package audit

import (
	"bytes"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// file is what a Log writes to.
type file struct {
	// turn has a token while one uses the following; taken before Log.mu.
	turn chan struct{}

	disk  disk   // nil while there is none
	out   []byte // whole lines that are not written yet
	torn  bool   // what is in the file does not end with a whole line
	dirty bool   // not all that was written is safe
	// open is openDisk, but in tests.
	open func(name string) (disk, error)

	busy atomic.Int64 // since when the disk is at work, in ns since 1970; 0 while it is not
}

func (f *file) lock()   { f.turn <- struct{}{} }
func (f *file) unlock() { <-f.turn }

// lockWithin reports whether it has got the lock within that time.
func (f *file) lockWithin(d time.Duration) bool {
	select {
	case f.turn <- struct{}{}:
		return true
	case <-time.After(d):
		return false
	}
}

// hung reports whether the disk has been at work for so long.
func (f *file) hung(d time.Duration) bool {
	since := f.busy.Load()
	return since != 0 && time.Since(time.Unix(0, since)) >= d
}

func (f *file) begin() { f.busy.Store(time.Now().UnixNano()) }
func (f *file) done()  { f.busy.Store(0) }

// disk is the part of os.File that is used.
type disk interface {
	io.Writer
	io.ReaderAt
	Stat() (os.FileInfo, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

func openDisk(name string) (disk, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}

// useLocked opens another file, or none without a name.
func (f *file) useLocked(name string) error {
	var next disk
	if name != "" {
		var err error
		if next, err = f.open(name); err != nil {
			return err
		}
	}
	_ = f.syncLocked()
	_ = f.closeLocked()
	f.disk, f.torn = next, next != nil && endsTorn(next)
	if next == nil {
		f.out = nil
	}
	return nil
}

// endsTorn reports whether a file does not end with a whole line, as after a
// loss of power.
func endsTorn(d disk) bool {
	info, err := d.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = d.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

func (f *file) closeLocked() error {
	if f.disk == nil {
		return nil
	}
	err := f.disk.Close()
	f.disk = nil
	return err
}

// flushLocked writes all lines that wait. After an error the file has whole lines
// only, and what it does not have waits.
func (f *file) flushLocked() error {
	if len(f.out) == 0 || f.disk == nil {
		return nil
	}
	if f.torn {
		f.out = append([]byte{'\n'}, f.out...)
		f.torn = false
	}
	f.begin()
	n, err := f.disk.Write(f.out)
	f.done()
	f.dirty = f.dirty || n > 0
	if err == nil {
		f.out = nil
		return nil
	}
	whole := bytes.LastIndexByte(f.out[:n], '\n') + 1
	if part := n - whole; part > 0 {
		f.torn = !cutBack(f.disk, int64(part))
	}
	f.out = f.out[whole:]
	return err
}

// cutBack takes the last bytes of a file away.
func cutBack(d disk, n int64) bool {
	info, err := d.Stat()
	return err == nil && info.Mode().IsRegular() && d.Truncate(info.Size()-n) == nil
}

// syncLocked makes safe what was written.
func (f *file) syncLocked() error {
	if !f.dirty || f.disk == nil {
		return nil
	}
	f.begin()
	err := f.disk.Sync()
	f.done()
	f.dirty = err != nil
	return err
}
