package config

import (
	"strings"
	"testing"
)

func TestStateDirOfAFileThatHasErrors(t *testing.T) {
	inTestdata(t)
	for name, tt := range map[string]struct {
		text string
		want string // "" = it cannot be found out
		says string
	}{
		"good":             {`state_dir = "state"`, "state", ""},
		"none":             {`log { level = "info" }`, DefaultStateDir, ""},
		"wrong elsewhere":  {"state_dir = \"state\"\ncallhome { users = [\"nobody\"] }\nnonsense = 1", "state", ""},
		"broken behind":    {"state_dir = \"state\"\ncallhome {", "state", ""},
		"broken before":    {"callhome {\nstate_dir = \"state\"", "", "unclosed configuration block"},
		"broken, and none": {"callhome {", "", "unclosed configuration block"},
		"misspelled":       {`stat_dir = "state"`, "", "stat_dir"},
		"empty":            {`state_dir = ""`, "", "state_dir cannot be found out"},
		"broken itself":    {"state_dir =\n", "", "state_dir cannot be found out"},
		"unset":            {`state_dir = env("UNSET_HERE")`, "", "UNSET_HERE"},
		"no text":          {`state_dir = []`, "", "must be a string"},
		"nested deeply":    {strings.Repeat("[", 200), "", "nested too deeply"},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, "statedir.hcl", []byte(tt.text))
			dir, problems := StateDir("statedir.hcl", Options{Offline: true})
			if dir != tt.want {
				t.Errorf("got %q, want %q", dir, tt.want)
			}
			if (problems == nil) != (tt.want != "") {
				t.Errorf("problems: %v", problems)
			}
			if problems != nil && !strings.Contains(problems.Error(), tt.says) {
				t.Errorf("problems are %v, want %q", problems, tt.says)
			}
		})
	}
	if _, problems := StateDir("missing.hcl", Options{}); problems == nil || !strings.Contains(problems.Error(), "no such file") {
		t.Errorf("of a missing file: %v", problems)
	}
}
