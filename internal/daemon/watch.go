package daemon

import (
	"context"
	"crypto/x509"
	"io/fs"
	"os"
	"slices"
	"time"

	"callhome-gateway/internal/config"
)

const (
	watchTick = 5 * time.Second
	// staleAgain is how long a list may be overdue before it is told again.
	staleAgain = 24 * time.Hour
)

// watched are files that belong together and are read again when one of them
// changes.
type watched struct {
	// what they are, and old what stays in force when they cannot be read.
	what, old string
	files     []string
	load      func() error

	seen []stamp
	// failed says that they could not be read the last time. One failure is not
	// told: somebody may be about to write the second of two files.
	failed bool
}

// stamp tells whether a file is still the same.
type stamp struct {
	size, time int64
}

func stamps(files []string) []stamp {
	list := make([]stamp, len(files))
	for i, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode()&fs.ModeType == 0 {
			list[i] = stamp{info.Size(), info.ModTime().UnixNano()}
		}
	}
	return list
}

// watchList returns the files of a configuration, as they are now.
func (d *daemon) watchList(in *config.Config) []*watched {
	var list []*watched
	if c := in.TLS; c.Certificate != "" && in.Gateway.TLS != nil {
		list = append(list, &watched{
			what: "the certificate of the TLS endpoints", old: "the old one is still shown",
			files: []string{c.Certificate, c.Key}, load: func() error { return d.loadCertificate(c) },
		})
	}
	for i := range in.Lists {
		l := &in.Lists[i]
		list = append(list, &watched{
			what: "the revocation lists of " + l.Of, old: "the old ones are still in force",
			files: l.Files, load: func() error { return d.loadLists(l) },
		})
	}
	for _, w := range list {
		w.seen = stamps(w.files)
	}
	return list
}

// watch reads files again that change, until ctx ends: a restart would end all
// sessions.
func (d *daemon) watch(ctx context.Context) error {
	ticker := time.NewTicker(watchTick)
	defer ticker.Stop()
	told := make(map[string]time.Time)
	for {
		d.tellStale(told, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if d.beginChange(ctx) != nil {
			return nil
		}
		for _, w := range d.settings().watched {
			d.look(w)
		}
		d.endChange()
	}
}

// look reads the files again if they have changed.
func (d *daemon) look(w *watched) {
	now := stamps(w.files)
	if slices.Equal(now, w.seen) && !w.failed {
		return
	}
	err := w.load()
	switch {
	case err == nil:
		d.log.Info("read "+w.what+" again, since the files have changed", "files", w.files)
	case !w.failed:
		w.failed = true // it is tried once more
		return
	default:
		d.log.Error(w.what+" cannot be read again: "+w.old+"; put it right, it is read when it changes", "error", err)
	}
	w.failed, w.seen = false, now
}

func (d *daemon) loadCertificate(c config.ServerTLS) error {
	pair, err := config.LoadPair(c.Certificate, c.Key)
	if err != nil {
		return err
	}
	d.certificates.own.Store(pair)
	if now := time.Now(); now.Before(pair.Leaf.NotBefore) || now.After(pair.Leaf.NotAfter) {
		d.log.Warn("the certificate of the TLS endpoints is not valid now, managers may refuse it: get a new one from the CA, or check the clock",
			"from", pair.Leaf.NotBefore, "to", pair.Leaf.NotAfter)
	}
	return nil
}

// loadLists also ends the links of devices, and the sessions of managers, that
// are revoked now.
func (d *daemon) loadLists(l *config.Lists) error {
	var all []*x509.RevocationList
	for _, file := range l.Files {
		lists, err := config.LoadLists(file)
		if err != nil {
			return err
		}
		all = append(all, lists...)
	}
	if err := l.Anchors.SetLists(all); err != nil {
		return err
	}
	d.tellMissing(l, config.IssuersOf(all))
	d.endRevoked()
	return nil
}

func (d *daemon) endRevoked() {
	if ended := d.callhome.EndRevoked(); ended > 0 {
		d.log.Warn("links of revoked devices were ended", "links", ended)
	}
	if ended := d.gateway.EndRevoked(); ended > 0 {
		d.log.Warn("sessions of revoked managers were ended", "sessions", ended)
	}
}

// tellMissing warns of CAs that had a list and have none any more: the wrong
// file may have been put in its place.
func (d *daemon) tellMissing(l *config.Lists, now []string) {
	for _, issuer := range l.Issuers {
		if !slices.Contains(now, issuer) {
			d.log.Warn("a CA has no revocation list any more, what it had revoked may come in again: see that the files are the right ones",
				"of", l.Of, "issuer", issuer, "lists_now", now, "files", l.Files)
		}
	}
	l.Issuers = now
}

// compareLists does the same where other files are read, or the same ones anew.
func (d *daemon) compareLists(before, after []config.Lists) {
	for _, l := range after {
		if i := slices.IndexFunc(before, func(old config.Lists) bool { return old.Of == l.Of }); i >= 0 {
			old := before[i]
			old.Files = l.Files
			d.tellMissing(&old, l.Issuers)
		}
	}
}

// tellStale warns, once a day, of lists whose successors are overdue.
func (d *daemon) tellStale(told map[string]time.Time, now time.Time) {
	for _, l := range d.settings().Lists {
		for _, stale := range l.Anchors.StaleLists(now) {
			key := l.Of + "\x00" + stale.Issuer
			if last, ok := told[key]; ok && now.Sub(last) < staleAgain {
				continue
			}
			told[key] = now
			d.log.Warn("a revocation list is out of date: fetch it from the CA, what was revoked since is not known",
				"of", l.Of, "issuer", stale.Issuer, "due", stale.NextUpdate, "files", l.Files)
		}
	}
}
