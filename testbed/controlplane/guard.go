package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// Tells the process that does the work, and names the folder that is its own.
const guardedDir = "CONTROLPLANE_DIR"

// guard runs this program once more, to do the work, and sees to it that nothing is left of it, whichever of the two
// processes is killed: the worker ends in good order when its standard input does, which is a pipe from here; and when
// the worker is killed, the servers that it started become children of this process, which kills them.
//
// Answers the worker's exit code.
func guard() (int, error) {
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if err := adoptOrphans(); err != nil {
		return 1, err
	}
	defer killOrphans()

	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	worker := exec.Command(self, os.Args[1:]...)
	worker.Env = append(os.Environ(), guardedDir+"="+dir)
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	// A group of its own: what a terminal sends to all of a group comes here alone.
	worker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	commands, err := worker.StdinPipe()
	if err != nil {
		return 1, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if err := worker.Start(); err != nil {
		return 1, err
	}
	go func() {
		<-signals
		commands.Close()
	}()
	go func() {
		_, _ = io.Copy(commands, os.Stdin)
		commands.Close()
	}()
	err = worker.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // a signal has no exit code
	}
	return 0, err
}
