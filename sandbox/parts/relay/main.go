// Relay passes TCP connections on, byte for byte: relay FROM=TO ...
//
// FROM is ADDRESS:PORT, or fd:N for a socket that listens already (one that was opened outside the network namespace in
// which the relay runs: that is the sandbox's door). TO is ADDRESS:PORT. It runs until SIGTERM, or until its parent ends.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetPrefix("relay: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: relay FROM=TO ...")
	}
	for _, pair := range os.Args[1:] {
		from, to, ok := strings.Cut(pair, "=")
		if !ok {
			log.Fatalf("%q is not FROM=TO", pair)
		}
		listener, err := listen(from)
		if err != nil {
			log.Fatalf("%s: %v", from, err)
		}
		log.Printf("%s to %s", from, to)
		go accept(listener, to)
	}
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
}

func listen(from string) (net.Listener, error) {
	number, inherited := strings.CutPrefix(from, "fd:")
	if !inherited {
		return net.Listen("tcp", from)
	}
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, fmt.Errorf("no file descriptor: %w", err)
	}
	file := os.NewFile(uintptr(fd), from)
	defer file.Close()
	return net.FileListener(file)
}

func accept(listener net.Listener, to string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			// Too many open files, mostly: it passes.
			log.Print(err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go pass(client.(*net.TCPConn), to)
	}
}

func pass(client *net.TCPConn, to string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		// A reset, as from a machine on which nobody listens.
		client.SetLinger(0)
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var both sync.WaitGroup
	both.Add(2)
	go copyHalf(&both, server, client)
	go copyHalf(&both, client, server)
	both.Wait()
}

// copyHalf copies until one side has said all it has to say, and lets the other know. What breaks breaks both halves.
func copyHalf(both *sync.WaitGroup, to, from *net.TCPConn) {
	defer both.Done()
	if _, err := io.Copy(to, from); err != nil {
		to.SetLinger(0)
		to.Close()
		from.SetLinger(0)
		from.Close()
		return
	}
	to.CloseWrite()
}
