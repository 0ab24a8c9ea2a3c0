package main

import (
	"context"
	"io"

	"callhome-gateway/internal/config"
	"callhome-gateway/internal/daemon"

	"github.com/hashicorp/go-hclog"
)

func runDaemon(ctx context.Context, c *config.Config, log hclog.Logger) error {
	return daemon.Run(ctx, c, daemon.Options{Version: version(), Log: log})
}

func runDemo(ctx context.Context, out io.Writer, log hclog.Logger) error {
	return daemon.Demo(ctx, out, version(), log)
}
