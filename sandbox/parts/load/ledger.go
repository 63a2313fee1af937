package main

import (
	"sync"
	"time"
)

// phase is a stretch of the run: what it allows, and its own counts. It never changes; the next one takes its place.
type phase struct {
	name  string
	allow map[string]bool // nil: every version
	*tally
}

func (p *phase) allowed(version string) bool { return p.allow == nil || p.allow[version] }

// ledger holds the counts of the present phase, of those whose last requests are still under way, and of the whole run.
type ledger struct {
	mu      sync.Mutex
	present *phase
	closing []*phase
	whole   *phase
}

func newLedger(name string, allow []string) *ledger {
	now := time.Now()
	return &ledger{
		present: &phase{name, set(allow), newTally(now, true)},
		whole:   &phase{"", nil, newTally(now, false)},
	}
}

func set(names []string) map[string]bool {
	if names == nil {
		return nil
	}
	result := make(map[string]bool, len(names))
	for _, name := range names {
		result[name] = true
	}
	return result
}

// mark begins a phase. Requests that are under way stay with the one they were sent in. Without reset the counts go on under the new name.
func (l *ledger) mark(name string, allow map[string]bool, reset bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := l.present.tally
	if reset {
		l.closing = append(l.closing, l.present)
		counts = newTally(time.Now(), true)
	}
	l.present = &phase{name, allow, counts}
}

// permit changes what the present phase allows, for requests that are sent from now on.
func (l *ledger) permit(allow map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present = &phase{l.present.name, allow, l.present.tally}
}

// begin counts a request that is about to be sent, and returns the phase it belongs to.
func (l *ledger) begin() *phase {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present.begin()
	l.whole.begin()
	return l.present
}

// finish counts what became of a request.
func (l *ledger) finish(p *phase, r *outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.finish(r)
	l.whole.finish(r)
}

func (l *ledger) late(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.present.lag = max(l.present.lag, d)
	l.whole.lag = max(l.whole.lag, d)
}

// closed takes out the phases that are over and whose requests are all finished; at the end of the run, all.
func (l *ledger) closed(end bool) []report {
	l.mu.Lock()
	defer l.mu.Unlock()
	var over []report
	kept := l.closing[:0]
	for _, p := range l.closing {
		if end || p.requests == p.ok+p.failed {
			over = append(over, p.report("phase", p.name, true))
		} else {
			kept = append(kept, p)
		}
	}
	l.closing = kept
	if end {
		over = append(over, l.present.report("phase", l.present.name, true), l.whole.report("end", "", false))
	}
	return over
}

// now reports the present phase.
func (l *ledger) now(event string, timeline bool) report {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.present.report(event, l.present.name, timeline)
}

func (l *ledger) failed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole.failed > 0
}
