// Command controlplane runs a real kube-apiserver and etcd on loopback ports until it is told to stop.
//
// It is what tests, demo and benchmark of this repository start; the versions are pinned in go.mod (to move to another
// Kubernetes, change k8s.io/kubernetes and the version of every staging module there, then run go mod tidy).
//
// It ends at SIGTERM, SIGINT or when its standard input does, so that it never outlives the process that started it. Lines
// on standard input command it: "stop-apiserver" and "start-apiserver" take the API server away and bring it back, with
// etcd and everything in it kept. Each is answered by a line on standard output: "ready" or "stopped".
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	kubeconfig := flag.String("kubeconfig-out", "", "where to write the administrator's kubeconfig")
	assets := flag.String("assets", os.Getenv("KUBEBUILDER_ASSETS"), "the folder with kube-apiserver and etcd")
	flag.Parse()
	if *kubeconfig == "" || *assets == "" {
		return fmt.Errorf("-kubeconfig-out and -assets (or KUBEBUILDER_ASSETS) are needed")
	}
	// Both leave their data here, and it goes when this process does. A folder of our own for the API server, because
	// envtest would delete its own at every stop, and with it the keys that tokens are signed with.
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	env := &envtest.Environment{
		BinaryAssetsDirectory:    *assets,
		ControlPlaneStartTimeout: 60 * time.Second,
		ControlPlaneStopTimeout:  20 * time.Second,
	}
	api := env.ControlPlane.GetAPIServer()
	api.CertDir = filepath.Join(dir, "apiserver")
	env.ControlPlane.Etcd = &envtest.Etcd{DataDir: filepath.Join(dir, "etcd")}
	env.ControlPlane.Etcd.Configure().Set("unsafe-no-fsync", "true")
	for _, sub := range []string{api.CertDir, env.ControlPlane.Etcd.DataDir} {
		if err := os.Mkdir(sub, 0o700); err != nil {
			return err
		}
	}
	// With a period of its own the API server ends open watches; without, it waits for them for a minute.
	api.Configure().Set("shutdown-delay-duration", "0s").Set("shutdown-watch-termination-grace-period", "1s")

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)

	if _, err := env.Start(); err != nil {
		_ = env.Stop()
		return err
	}
	defer func() {
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
	}()
	if err := os.WriteFile(*kubeconfig, env.KubeConfig, 0o600); err != nil {
		return err
	}
	fmt.Println("ready")

	commands := make(chan string)
	go func() {
		defer close(commands)
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			commands <- lines.Text()
		}
	}()
	for {
		select {
		case <-signals:
			return nil
		case command, open := <-commands:
			switch {
			case !open:
				return nil
			case command == "stop-apiserver":
				if err := api.Stop(); err != nil {
					return err
				}
				fmt.Println("stopped")
			case command == "start-apiserver":
				if err := api.Start(); err != nil {
					return err
				}
				fmt.Println("ready")
			default:
				return fmt.Errorf("unknown command %q", command)
			}
		}
	}
}
