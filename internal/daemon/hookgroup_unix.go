//go:build unix

package daemon

import (
	"os/exec"
	"syscall"
)

// ownGroup has the program run in a process group of its own, so that it can be
// killed together with what it has started.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup also works when the program itself has ended: the group keeps the
// number as long as there is a process in it.
func killGroup(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
