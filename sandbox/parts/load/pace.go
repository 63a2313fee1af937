package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Closed loop: a connection that failed waits this long, so that a dead endpoint is not asked in a tight loop.
const pauseAfterFailure = 20 * time.Millisecond

// generator decides when a request is sent.
type generator struct {
	options  *options
	book     *ledger
	client   *client
	requests *shapes
	begun    atomic.Uint64
	underWay sync.WaitGroup
}

// send sends until arrivals is done or the number of requests is reached. Cancelling replies breaks off what is under way.
func (g *generator) send(arrivals, replies context.Context) {
	if g.options.rate > 0 {
		g.open(arrivals, replies)
	} else {
		g.closed(arrivals, replies)
	}
}

// wait returns when no request is under way.
func (g *generator) wait() { g.underWay.Wait() }

// take gives out the next request's number, counted from 1, while there are any left.
func (g *generator) take() (uint64, bool) {
	number := g.begun.Add(1)
	return number, g.options.requests == 0 || number <= g.options.requests
}

// open sends at a fixed rate, whatever becomes of the requests: one that is due while too many are under way fails as overflow.
func (g *generator) open(arrivals, replies context.Context) {
	slots := make(chan struct{}, g.options.maxInFlight)
	gap := float64(time.Second) / g.options.rate
	start := time.Now()
	for arrival := 0; ; arrival++ {
		due := start.Add(time.Duration(float64(arrival) * gap))
		if !sleep(arrivals, time.Until(due)) {
			return
		}
		number, more := g.take()
		if !more {
			return
		}
		g.book.late(time.Since(due))
		select {
		case slots <- struct{}{}:
			g.underWay.Add(1)
			go func() {
				defer func() { <-slots; g.underWay.Done() }()
				g.one(replies, number, due)
			}()
		default:
			g.overflow(number, due)
		}
	}
}

func (g *generator) overflow(number uint64, due time.Time) {
	r := &outcome{number: number, model: g.requests.next().model, due: due, sent: due, done: time.Now()}
	r.fail(failOverflow, "not sent: too many requests were under way")
	g.book.finish(g.book.begin(), r)
}

// closed lets each connection send its next request when the reply to the last one is there. It returns when arrivals is done, or all are.
func (g *generator) closed(arrivals, replies context.Context) {
	for i := range g.options.connections {
		g.underWay.Add(1)
		go func() {
			defer g.underWay.Done()
			if sleep(arrivals, g.options.ramp*time.Duration(i)/time.Duration(g.options.connections)) {
				g.connection(arrivals, replies)
			}
		}()
	}
	all := make(chan struct{})
	go func() { g.wait(); close(all) }()
	select {
	case <-arrivals.Done():
	case <-all:
	}
}

func (g *generator) connection(arrivals, replies context.Context) {
	for arrivals.Err() == nil {
		number, more := g.take()
		if !more {
			return
		}
		if !g.one(replies, number, time.Now()) && !sleep(arrivals, pauseAfterFailure) {
			return
		}
	}
}

// one sends a request, counts what becomes of it, and tells whether it was answered well.
func (g *generator) one(replies context.Context, number uint64, due time.Time) bool {
	sh := g.requests.next()
	r := &outcome{number: number, model: sh.model, due: due}
	p := g.book.begin()
	g.client.do(replies, g.requests, sh, r, p.allowed)
	g.book.finish(p, r)
	return r.failure == ""
}

// sleep waits; false when the context is done.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
