package main

import (
	"context"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// completionTimeout is how long a person waits for the Tab key at most.
const completionTimeout = 2 * time.Second

func completeDevices(gateway *gatewayFlags) cobra.CompletionFunc {
	return complete(gateway, func(d control.Device) string {
		if d.State == control.StatePending {
			return ""
		}
		return d.Name
	})
}

func completePending(gateway *gatewayFlags) cobra.CompletionFunc {
	return complete(gateway, func(d control.Device) string {
		if d.State != control.StatePending {
			return ""
		}
		return d.Identity
	})
}

// complete offers what word returns for the devices of the running gateway, or
// nothing if none answers.
func complete(gateway *gatewayFlags, word func(control.Device) string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		client, err := gateway.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
		defer cancel()
		devices, err := client.Devices(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var words []cobra.Completion
		for _, d := range devices {
			if w := word(d); w != "" {
				words = append(words, w)
			}
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}
