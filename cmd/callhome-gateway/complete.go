package main

import (
	"context"
	"time"

	"callhome-gateway/internal/control"

	"github.com/spf13/cobra"
)

// completionTimeout is how long a person waits for the Tab key at most.
const completionTimeout = 2 * time.Second

// words returns what may be meant, of what the running gateway has.
type words func(ctx context.Context, client *control.Client) ([]cobra.Completion, error)

func completeDevices(gateway *gatewayFlags) cobra.CompletionFunc {
	return complete(gateway, devicesThat(func(d control.Device) string {
		if d.State == control.StatePending {
			return ""
		}
		return d.Name
	}))
}

func completePending(gateway *gatewayFlags) cobra.CompletionFunc {
	return complete(gateway, devicesThat(func(d control.Device) string {
		if d.State != control.StatePending {
			return ""
		}
		return d.Identity
	}))
}

// devicesThat offers what word returns for each device, unless it is empty.
func devicesThat(word func(control.Device) string) words {
	return wordsOf((*control.Client).Devices, word)
}

// wordsOf offers what word returns for each of a list, unless it is empty.
func wordsOf[T any](list func(*control.Client, context.Context) ([]T, error), word func(T) string) words {
	return func(ctx context.Context, client *control.Client) (found []cobra.Completion, err error) {
		all, err := list(client, ctx)
		for _, one := range all {
			if w := word(one); w != "" {
				found = append(found, w)
			}
		}
		return found, err
	}
}

// complete offers words of the running gateway, or nothing if none answers.
func complete(gateway *gatewayFlags, find words) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		client, err := gateway.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
		defer cancel()
		found, err := find(ctx, client)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// firstOnly completes the first argument alone.
func firstOnly(find cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return find(cmd, args, begun)
	}
}
