package audit

import (
	"time"

	"callhome-gateway/gateway"
)

// run writes what is queued until the Log is closed.
func (l *Log) run() {
	defer close(l.stopped)
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.wake:
			l.write()
			select {
			case <-time.After(linger):
			case <-l.stop:
			}
		case now := <-tick.C:
			l.tick(now)
		case <-l.stop:
			l.finish()
			return
		}
	}
}

// write writes what is queued, unless something else has to be written first.
func (l *Log) write() {
	l.file.lock()
	defer l.file.unlock()
	if l.Problem() == nil {
		l.writeLocked()
	}
}

func (l *Log) writeLocked() {
	s := l.settings.Load()
	if s == nil || len(l.file.out) > 0 {
		return
	}
	records, lost := l.take()
	for _, record := range records {
		l.file.out = s.append(l.file.out, record)
	}
	if lost > 0 {
		l.log.Error("records of the audit are lost", "file", s.File, "lost", lost)
		l.file.out = s.append(l.file.out, lostRecords{lost, time.Now()})
	}
	l.settle(l.file.flushLocked())
}

// tick tries again what has failed, and makes safe what was written.
func (l *Log) tick(now time.Time) {
	l.report(l.logins.take(now))
	l.file.lock()
	defer l.file.unlock()
	err := l.file.flushLocked()
	if err == nil {
		err = l.file.syncLocked()
	}
	l.settle(err)
	if err == nil {
		l.writeLocked()
	}
}

// finish writes all that is left.
func (l *Log) finish() {
	l.report(l.logins.takeAll())
	l.tick(time.Now())
	l.tick(time.Now()) // what was written by the first is safe
}

// report queues lines about refused logins, which are few, without waiting.
func (l *Log) report(lines []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue, l.weight = append(l.queue, lines...), l.weight+len(lines)*recordWeight
}

// settle notes whether the file can be written, and tells of a change.
func (l *Log) settle(err error) {
	l.mu.Lock()
	before := l.problem
	l.problem = err
	if err != nil && l.room != nil {
		close(l.room) // nobody waits in vain
		l.room = nil
	}
	l.mu.Unlock()
	s := l.settings.Load()
	switch {
	case s == nil || (err == nil) == (before == nil):
	case err == nil:
		l.log.Info("the audit is written again", "file", s.File)
	case s.Stop:
		l.log.Error("the audit cannot be written: no manager session begins until it can", "file", s.File, "error", err)
	default:
		l.log.Error("the audit cannot be written: make room for it, or what managers do is not recorded", "file", s.File, "error", err)
	}
}

var _ gateway.Recorder = (*Log)(nil)
