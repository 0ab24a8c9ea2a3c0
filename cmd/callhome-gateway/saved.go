package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// problem is why an entry that was saved does not count; nothing if it does.
type problem struct{ name, why string }

// printProblems ends a table of entries, and tells below it which do not count.
func printProblems(w io.Writer, t *tabwriter.Writer, problems []problem) error {
	if err := t.Flush(); err != nil {
		return err
	}
	head := "\nSaved, and without effect:\n"
	for _, p := range problems {
		if p.why == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s  %s: %s\n", head, clean(p.name), clean(p.why)); err != nil {
			return err
		}
		head = ""
	}
	return nil
}

// saved says when an entry was saved; nothing if it was not.
func saved(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return since.Local().Format(time.DateTime)
}
