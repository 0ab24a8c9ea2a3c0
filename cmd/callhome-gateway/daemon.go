package main

import (
	"context"
	"errors"
	"io"

	"callhome-gateway/internal/config"

	"github.com/hashicorp/go-hclog"
)

var errNoDaemon = errors.New("this build has no daemon")

func runDaemon(context.Context, *config.Config, hclog.Logger) error { return errNoDaemon }

func runDemo(context.Context, io.Writer) error { return errNoDaemon }
