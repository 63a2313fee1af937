// Command load sends requests to an OpenAI-style endpoint and accounts for every one of them.
//
// A request that was begun is either answered well, or counted under exactly one kind of failure, or still under way: the three add
// up to the requests begun, at any time. Reports go to stdout as JSON lines; commands come over stdin with -control. The counts belong
// to phases: a request belongs to the phase in which it was sent and is judged by what that phase allowed.
//
// Exit codes: 0 every request was answered well, 2 usage, 3 at least one was not.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const (
	exitUsage  = 2
	exitFailed = 3
)

func main() {
	options, err := parse(os.Args[1:], os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(exitUsage)
	}
	os.Exit(run(options))
}

// run sends until a limit, a signal, a command or the end of the parent stops it, then waits for what is under way.
func run(o *options) int {
	arrivals, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	replies, cut := context.WithCancel(context.Background())
	defer cut()

	book := newLedger(o.phase, o.allow)
	out := newReporter(os.Stdout, book, o.every)
	if o.control {
		go listen(os.Stdin, &commands{book: book, out: out, stop: stop, cut: cut})
	} else if err := dieWithParent(); err != nil {
		fmt.Fprintln(os.Stderr, "load: the end of the parent will not be noticed:", err)
	}
	if o.limit > 0 {
		var end context.CancelFunc
		arrivals, end = context.WithTimeout(arrivals, o.limit)
		defer end()
	}

	out.start()
	g := &generator{options: o, book: book, client: newClient(o), requests: newShapes(o)}
	g.send(arrivals, replies)
	// From here on nothing new is sent; a generation that is under way may finish, but not for ever.
	deadline := time.AfterFunc(o.drain, cut)
	g.wait()
	deadline.Stop()
	out.end()
	if book.failed() {
		return exitFailed
	}
	return 0
}
