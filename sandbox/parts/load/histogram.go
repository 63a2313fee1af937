package main

import (
	"math"
	"math/bits"
	"time"
)

const (
	subBits = 5 // 32 steps in each power of two: a value is told at most 1/32 too high
	subs    = 1 << subBits
	octaves = 33 // up to 2^37 microseconds, more than a day
)

// histogram counts durations in buckets that grow with the value, in constant memory. The zero value is ready.
type histogram struct {
	counts [(octaves + 1) * subs]uint32
	total  uint64
	max    time.Duration
}

func bucket(micros uint64) int {
	if micros < subs {
		return int(micros)
	}
	shift := bits.Len64(micros) - subBits - 1
	index := (shift+1)*subs + int(micros>>shift) - subs
	return min(index, (octaves+1)*subs-1)
}

// upper is the highest value that falls into the bucket.
func upper(index int) uint64 {
	if index < subs {
		return uint64(index)
	}
	shift := index/subs - 1
	return (uint64(index%subs+subs)+1)<<shift - 1
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0).Microseconds()))]++
	h.total++
	h.max = max(h.max, d)
}

// quantile returns the duration that the share q of all counted ones does not exceed.
func (h *histogram) quantile(q float64) time.Duration {
	wanted := uint64(math.Ceil(q * float64(h.total)))
	seen := uint64(0)
	for index, count := range h.counts {
		if seen += uint64(count); seen >= wanted && seen > 0 {
			return min(time.Duration(upper(index))*time.Microsecond, h.max)
		}
	}
	return h.max
}

// summary is a histogram as it is reported, in milliseconds.
type summary struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

func (h *histogram) summary() summary {
	if h.total == 0 {
		return summary{}
	}
	return summary{h.total, millis(h.quantile(.5)), millis(h.quantile(.9)), millis(h.quantile(.99)), millis(h.max)}
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
