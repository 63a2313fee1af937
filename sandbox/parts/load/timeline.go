package main

import (
	"slices"
	"time"
)

const (
	finest  = 10 * time.Millisecond
	maxBins = 60000 // ten minutes of the finest
)

// timeline counts replies per version in bins of the time when their requests were sent: there a reader finds the moment when a changed
// weight took effect. A phase that lasts longer has coarser bins, of which there are no more.
type timeline struct {
	width time.Duration
	bins  map[string][]uint32
}

func newTimeline() *timeline { return &timeline{finest, map[string][]uint32{}} }

func (t *timeline) add(version string, at time.Duration) {
	if at < 0 {
		return
	}
	for at/t.width >= maxBins {
		t.coarser()
	}
	bin, bins := int(at/t.width), t.bins[version]
	if missing := bin + 1 - len(bins); missing > 0 {
		bins = append(bins, make([]uint32, missing)...)
	}
	bins[bin]++
	t.bins[version] = bins
}

// coarser makes the bins twice as wide: each two become one.
func (t *timeline) coarser() {
	t.width *= 2
	for version, bins := range t.bins {
		half := bins[:(len(bins)+1)/2]
		for i := range half {
			half[i] = bins[2*i]
			if 2*i+1 < len(bins) {
				half[i] += bins[2*i+1]
			}
		}
		t.bins[version] = half
	}
}

func (t *timeline) copy() *timelineReport {
	r := &timelineReport{BinMillis: int(t.width / time.Millisecond), Versions: map[string][]uint32{}}
	for version, bins := range t.bins {
		r.Versions[version] = slices.Clone(bins)
	}
	return r
}
