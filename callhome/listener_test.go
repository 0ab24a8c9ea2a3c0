package callhome

// onListener returns the listener as ServeListener would use it.
func onListener(s *Server, l Listener) *Listener {
	l = l.withDefaults(s)
	return &l
}
