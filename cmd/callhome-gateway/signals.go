package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals are what serve is told by the system.
type signals struct {
	// ctx ends at SIGINT, and drain is closed at SIGTERM.
	ctx   context.Context
	drain <-chan struct{}
	// reload has a value when SIGHUP has come since the last one was taken.
	reload <-chan os.Signal
	stop   func()
}

// serveSignals catches the signals until stop is called. After the first that is
// to end the process, a second ends it at once, as it does without a handler.
func serveSignals(parent context.Context) signals {
	ctx, cancel := context.WithCancel(parent)
	ending, drain := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(ending, os.Interrupt, syscall.SIGTERM)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		defer signal.Stop(ending)
		select {
		case s := <-ending:
			if s == syscall.SIGTERM {
				close(drain)
				return
			}
			cancel()
		case <-ctx.Done():
		}
	})
	return signals{ctx: ctx, drain: drain, reload: reload, stop: func() {
		cancel()
		waiting.Wait()
		signal.Stop(reload)
	}}
}

// untilSignal returns a context that ends at the first SIGINT or SIGTERM. A
// second one ends the process at once, as it does without a handler.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
