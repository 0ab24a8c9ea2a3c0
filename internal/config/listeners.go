package config

import (
	"slices"

	"callhome-gateway/auth"
	"callhome-gateway/callhome"

	"github.com/hashicorp/hcl/v2"
)

// callListeners decodes the listeners besides the main one. What a block leaves
// out is as in the callhome block, but for its ports.
func (d *decoder) callListeners(ch *Callhome, blocks []listenerBlock, users userTable) {
	names := newLabels("listener")
	d.listeners = map[string]Listener{"": ch.Main}
	for _, b := range blocks {
		names.check(d.problems, b.Name, b.NameRange)
		l := d.callListener(ch.Main, b, users)
		d.listeners[b.Name] = l
		ch.Listeners = append(ch.Listeners, l)
	}
}

func (d *decoder) callListener(main Listener, b listenerBlock, users userTable) Listener {
	l := main
	l.Name, l.Port, l.TLSPort = b.Name, 0, 0
	d.listenAddress(b.Address, &l.Address)
	d.port(b.Port, 0, &l.Port)
	d.port(b.TLSPort, 0, &l.TLSPort)
	d.listenerRules(&l, b.Allow, b.Deny, b.Proxies, b.DeviceSecret)
	l.Users = d.userList(b.Users, users)
	if b.Trust != nil {
		trust := d.trust(b.Trust)
		l.Trust = &trust
	}
	if l.Port == 0 && l.TLSPort == 0 {
		d.problems.missing(b.Def, b.Body, "set port for calls over SSH, tls_port for calls over TLS, or both", "listener %q has no port", b.Name)
	}
	return l
}

// listeners returns every listener of the block, the main one first: as many as
// Callhome.All.
func (b callhomeBlock) listeners() []listenerBlock {
	main := listenerBlock{Port: b.Port, TLSPort: b.TLSPort, Users: b.Users}
	return append([]listenerBlock{main}, b.Listeners...)
}

// listenerRules decodes what the main listener may have as well.
func (d *decoder) listenerRules(l *Listener, allow, deny, proxies, secret *hcl.Attribute) {
	d.networkRules(allow, deny, &l.Networks)
	d.proxies(proxies, &l.Proxies)
	if secret != nil {
		l.DeviceSecret = d.deviceSecret(secret)
	}
}

// trusts returns the trust settings under which the calls of an entry may come,
// or of any where listener is "".
func (c Callhome) trusts(listener string) (trusts []auth.Trust) {
	for _, l := range c.All() {
		switch {
		case listener != "" && l.Name != listener:
		case l.Trust == nil:
			trusts = append(trusts, c.Trust)
		default:
			trusts = append(trusts, *l.Trust)
		}
	}
	return trusts
}

// sessionListener returns the name of the listener that the entry is limited to.
func (d *decoder) sessionListener(b sessionBlock, t callhome.Transport) string {
	s, ok := d.string(b.Listener)
	if !ok {
		return ""
	}
	l, known := d.listeners[s.text]
	switch {
	case !known || s.text == "":
		d.problems.fail(s.at, d.unknownListenerHint(s.text), "there is no listener %q", s.text)
		return ""
	case t == callhome.SSH && l.Port == 0 && l.TLSPort != 0:
		d.problems.fail(s.at, "give the listener a port", "transport is %q, and listener %q is for calls over TLS only", t, s.text)
	case t == callhome.TLS && l.TLSPort == 0 && l.Port != 0:
		d.problems.fail(s.at, "give the listener a tls_port", "transport is %q, and listener %q is for calls over SSH only", t, s.text)
	}
	return s.text
}

func (d *decoder) unknownListenerHint(name string) string {
	names := []string{}
	for known := range d.listeners {
		if known != "" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	return "add a listener block with that name to callhome; leave it out for calls on any"
}
