package main

import (
	"maps"
	"strconv"
	"time"
)

const (
	maxSamples = 20 // of failed requests, per phase
	maxPerKind = 5  // of them of one kind, so that one kind does not hide the others
)

// tally holds counts in memory that does not grow with the number of requests. The ledger guards it.
type tally struct {
	since    time.Time
	requests uint64
	ok       uint64
	failed   uint64
	versions map[string]map[string]*served // version -> model
	seen     map[string]*seen
	failures map[string]*failure
	statuses map[string]uint64
	samples  []sample
	latency  histogram
	first    histogram
	lag      time.Duration
	timeline *timeline
}

func newTally(now time.Time, withTimeline bool) *tally {
	t := &tally{
		since:    now,
		versions: map[string]map[string]*served{},
		seen:     map[string]*seen{},
		failures: map[string]*failure{},
		statuses: map[string]uint64{},
	}
	if withTimeline {
		t.timeline = newTimeline()
	}
	return t
}

func (t *tally) begin() { t.requests++ }

func (t *tally) finish(r *outcome) {
	if r.status != 0 {
		t.attribute(r)
	}
	if r.failure != "" {
		t.fail(r)
		return
	}
	t.ok++
	t.latency.add(r.done.Sub(r.due))
	t.first.add(r.firstByte.Sub(r.due))
}

// attribute counts a reply, good or bad, for the version that gave it.
func (t *tally) attribute(r *outcome) {
	models := t.versions[r.version]
	if models == nil {
		models = map[string]*served{}
		t.versions[r.version] = models
	}
	counts := models[r.model]
	if counts == nil {
		counts = &served{}
		models[r.model] = counts
	}
	if r.failure == "" {
		counts.OK++
	} else {
		counts.Failed++
	}
	sent, replied := r.sent.Sub(t.since).Seconds(), r.firstByte.Sub(t.since).Seconds()
	when := t.seen[r.version]
	if when == nil {
		when = &seen{FirstSent: sent, FirstReply: replied}
		t.seen[r.version] = when
	}
	when.FirstSent, when.FirstReply = min(when.FirstSent, sent), min(when.FirstReply, replied)
	when.LastSent, when.LastReply = max(when.LastSent, sent), max(when.LastReply, replied)
	if t.timeline != nil {
		t.timeline.add(r.version, r.sent.Sub(t.since))
	}
}

func (t *tally) fail(r *outcome) {
	t.failed++
	at := r.done.Sub(t.since).Seconds()
	kind := t.failures[r.failure]
	if kind == nil {
		kind = &failure{First: at}
		t.failures[r.failure] = kind
	}
	kind.Count++
	kind.First, kind.Last = min(kind.First, at), max(kind.Last, at)
	if r.failure == failStatus {
		t.statuses[strconv.Itoa(r.status)]++
	}
	if kind.Count <= maxPerKind && len(t.samples) < maxSamples {
		t.samples = append(t.samples, sample{
			Kind: r.failure, Request: r.number, At: at, After: millis(r.done.Sub(r.sent)),
			Status: r.status, Version: r.version, Model: r.model, Detail: short([]byte(r.detail)),
		})
	}
}

// report copies the counts: what is returned does not change any more.
func (t *tally) report(event, phase string, timeline bool) report {
	r := report{
		Event: event, Phase: phase, Since: unix(t.since), Seconds: time.Since(t.since).Seconds(),
		Requests: t.requests, OK: t.ok, Failed: t.failed, InFlight: t.requests - t.ok - t.failed,
		Versions: map[string]map[string]served{}, Seen: map[string]seen{}, Failures: map[string]failure{},
		Statuses: maps.Clone(t.statuses), Samples: append([]sample{}, t.samples...),
		Latency: t.latency.summary(), FirstByte: t.first.summary(), Lag: millis(t.lag),
	}
	for version, models := range t.versions {
		r.Versions[version] = map[string]served{}
		for model, counts := range models {
			r.Versions[version][model] = *counts
		}
	}
	for version, when := range t.seen {
		r.Seen[version] = *when
	}
	for kind, f := range t.failures {
		r.Failures[kind] = *f
	}
	if timeline && t.timeline != nil {
		r.Timeline = t.timeline.copy()
	}
	return r
}
