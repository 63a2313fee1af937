package main

import (
	"slices"
	"time"
)

const (
	binWidth = 10 * time.Millisecond
	maxBins  = 60000 // the first ten minutes of a phase
)

// timeline counts replies per version in bins of the time when their requests were sent, for the beginning of a phase: there a reader finds
// the moment when a changed weight took effect.
type timeline struct{ bins map[string][]uint32 }

func newTimeline() *timeline { return &timeline{map[string][]uint32{}} }

func (t *timeline) add(version string, at time.Duration) {
	bin := int(at / binWidth)
	if bin < 0 || bin >= maxBins {
		return
	}
	bins := t.bins[version]
	if missing := bin + 1 - len(bins); missing > 0 {
		bins = append(bins, make([]uint32, missing)...)
	}
	bins[bin]++
	t.bins[version] = bins
}

func (t *timeline) copy() *timelineReport {
	r := &timelineReport{BinMillis: int(binWidth / time.Millisecond), Versions: map[string][]uint32{}}
	for version, bins := range t.bins {
		r.Versions[version] = slices.Clone(bins)
	}
	return r
}
