// Command controlplane runs a real kube-apiserver and etcd on loopback ports until it is told to stop.
//
// It is what tests, demo and benchmark of this repository start; the versions are pinned in go.mod (to move to another
// Kubernetes, change k8s.io/kubernetes and the version of every staging module there, then run go mod tidy).
//
// It ends at SIGTERM, SIGINT or when its standard input does, so that it never outlives the process that started it, and
// leaves no process and no file behind, even when it is killed. When it serves, it says "ready" on standard output, and
// where the administrator's kubeconfig is. Lines on standard input command it: "stop-apiserver" and "start-apiserver" take
// the API server away and bring it back, with etcd and everything in it kept. Each is answered by a line: "stopped" or
// "ready".
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

func main() {
	dir := os.Getenv(guardedDir)
	if dir == "" {
		code, err := guard()
		exit(code, err)
	}
	if err := run(dir); err != nil {
		exit(1, err)
	}
}

func exit(code int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
	}
	os.Exit(code)
}

func run(dir string) (err error) {
	// Both servers leave their data here. A folder of our own for the API server, because envtest would delete its own at
	// every stop, and with it the keys that tokens are signed with.
	defer os.RemoveAll(dir)
	assets := flag.String("assets", os.Getenv("KUBEBUILDER_ASSETS"), "the folder with kube-apiserver and etcd")
	flag.Parse()
	if *assets == "" {
		return fmt.Errorf("-assets (or KUBEBUILDER_ASSETS) is needed")
	}
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

	if _, err := env.Start(); err != nil {
		_ = env.Stop()
		return err
	}
	defer func() {
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
	}()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, env.KubeConfig, 0o600); err != nil {
		return err
	}
	fmt.Println("ready", kubeconfig)

	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch command := commands.Text(); command {
		case "stop-apiserver":
			if err := api.Stop(); err != nil {
				return err
			}
			fmt.Println("stopped")
		case "start-apiserver":
			if err := api.Start(); err != nil {
				return err
			}
			fmt.Println("ready")
		default:
			return fmt.Errorf("unknown command %q", command)
		}
	}
	return nil
}
