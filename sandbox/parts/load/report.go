package main

import (
	"encoding/json"
	"io"
	"os"
	"sync"
	"time"
)

// report is one line of the output. Times are seconds since the beginning of the phase, latencies milliseconds.
type report struct {
	// Event is "start", "progress", "marked" (a phase has begun), "phase" (one is over and all its requests are finished), or "end".
	Event    string                       `json:"event"`
	Phase    string                       `json:"phase"`
	Since    float64                      `json:"since"` // of the phase: seconds since 1970
	Seconds  float64                      `json:"seconds"`
	Requests uint64                       `json:"requests"` // = ok + failed + in_flight
	OK       uint64                       `json:"ok"`
	Failed   uint64                       `json:"failed"`
	InFlight uint64                       `json:"in_flight"`
	Versions map[string]map[string]served `json:"versions"` // every reply that had a status, by version and model asked for
	Seen     map[string]seen              `json:"seen"`
	Failures map[string]failure           `json:"failures"`
	Statuses map[string]uint64            `json:"statuses"` // of the failures "status"
	Samples  []sample                     `json:"samples"`
	// Of good replies, from when the request was due.
	Latency   summary         `json:"latency"`
	FirstByte summary         `json:"first_byte"`
	Lag       float64         `json:"lag"` // open loop: by how much a request was sent late at worst
	Timeline  *timelineReport `json:"timeline,omitempty"`
}

// served counts the replies of one version to requests for one model.
type served struct {
	OK     uint64 `json:"ok"`
	Failed uint64 `json:"failed"`
}

// seen tells when a version's first and last replies were asked for and came.
type seen struct {
	FirstSent  float64 `json:"first_sent"`
	FirstReply float64 `json:"first_reply"`
	LastSent   float64 `json:"last_sent"`
	LastReply  float64 `json:"last_reply"`
}

type failure struct {
	Count uint64  `json:"count"`
	First float64 `json:"first"`
	Last  float64 `json:"last"`
}

// sample is one failed request.
type sample struct {
	Kind    string  `json:"kind"`
	Request uint64  `json:"request"` // as in its X-Load-Request header
	At      float64 `json:"at"`
	After   float64 `json:"after"` // milliseconds since it was sent
	Status  int     `json:"status"`
	Version string  `json:"version"`
	Model   string  `json:"model"`
	Detail  string  `json:"detail"`
}

type timelineReport struct {
	BinMillis int                 `json:"bin_ms"`
	Versions  map[string][]uint32 `json:"versions"`
}

func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// reporter writes reports, from several goroutines, one line each.
type reporter struct {
	mu    sync.Mutex
	out   *json.Encoder
	book  *ledger
	every time.Duration
	done  chan struct{}
	ended sync.WaitGroup
}

func newReporter(out io.Writer, book *ledger, every time.Duration) *reporter {
	return &reporter{out: json.NewEncoder(out), book: book, every: every, done: make(chan struct{})}
}

func (r *reporter) write(reports ...report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, report := range reports {
		if r.out.Encode(report) != nil {
			os.Exit(exitFailed) // nobody reads any more
		}
	}
}

// start reports regularly from now on.
func (r *reporter) start() {
	r.write(r.book.now("start", false))
	r.ended.Go(func() {
		tick := time.NewTicker(r.every)
		defer tick.Stop()
		for {
			select {
			case <-r.done:
				return
			case <-tick.C:
				r.write(r.book.closed(false)...)
				r.write(r.book.now("progress", false))
			}
		}
	})
}

// end reports all phases that were not reported yet, and the whole run.
func (r *reporter) end() {
	close(r.done)
	r.ended.Wait()
	r.write(r.book.closed(true)...)
}
