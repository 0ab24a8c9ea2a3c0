package daemon

import (
	"context"
	"strings"

	"callhome-gateway/auth"
	"callhome-gateway/internal/control"
)

// Failures implements control.Backend.
func (b backend) Failures(context.Context) ([]control.Failure, error) { return b.failures(), nil }

// ClearFailures implements control.Backend.
func (b backend) ClearFailures(_ context.Context, f control.FailureFilter) (int, error) {
	cleared := b.callhome.ClearFailures(func(failed auth.Failure) bool {
		return (f.User == "" || f.User == failed.User) && (f.Device == "" || b.means(f.Device, failed.Identity))
	})
	b.log.Info("refused logins were forgotten", "device", f.Device, "user", f.User, "failures", cleared)
	b.events.operator(f.Device, "%d refused logins were forgotten", cleared)
	return cleared, nil
}

// means reports whether device is a name of what has the identity, or the
// identity's fingerprint.
func (b backend) means(device string, id auth.Identity) bool {
	return id.Matches(device) || strings.EqualFold(b.nameOf(id), device)
}

func (b backend) failures() []control.Failure {
	list := []control.Failure{}
	for _, f := range b.callhome.Failures() {
		list = append(list, control.Failure{
			Identity: f.Identity.Fingerprint, Device: b.nameOf(f.Identity), User: f.User, Since: f.Since, Expires: f.Expires,
		})
	}
	return list
}
