package main

import (
	"runtime"
	"syscall"
)

// dieWithParent asks for SIGTERM when the parent dies. The kernel keeps this wish per thread of this process, and drops it for none but
// the thread that asked: the main thread, which lives as long as the process.
//
// It is the *thread* of the parent that counts there, so that a parent with short-lived threads uses -control instead: the end of stdin
// tells the same, also across a PID namespace.
func dieWithParent() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_PDEATHSIG, uintptr(syscall.SIGTERM), 0); errno != 0 {
		return errno
	}
	return nil
}
