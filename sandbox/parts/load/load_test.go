package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAQuantileIsAtMostOneStepTooHigh(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	values := make([]time.Duration, 10_000)
	for i := range values {
		values[i] = time.Duration(float64(int64(1)<<(10+random.IntN(30))) * (1 + random.Float64()))
		h.add(values[i])
	}
	slices.Sort(values)
	for _, q := range []float64{.01, .5, .9, .99, 1} {
		exact := values[max(int(q*float64(len(values))), 1)-1].Truncate(time.Microsecond)
		told := h.quantile(q)
		if told < exact || float64(told) > float64(exact)*(1+1.0/subs)+float64(2*time.Microsecond) {
			t.Errorf("quantile %v: told %v, exact %v", q, told, exact)
		}
	}
}

func TestEveryBucketHoldsItsOwnUpperEnd(t *testing.T) {
	for index := range (octaves + 1) * subs {
		if got := bucket(upper(index)); got != index {
			t.Fatalf("upper end %d of bucket %d falls into %d", upper(index), index, got)
		}
	}
}

func TestTheVersionHeadersMustAgree(t *testing.T) {
	who := &attribution{
		headers: []string{"X-Sandbox-Pool", "X-Inference-Pod"},
		rules: []versionRule{
			{"llm", regexp.MustCompile(`^llm(-[a-z0-9]+-[a-z0-9]{5})?$`)},
			{"llm-new", regexp.MustCompile(`^llm-new(-[a-z0-9]+-[a-z0-9]{5})?$`)},
		},
	}
	for _, c := range []struct{ pool, pod, version, problem string }{
		{"llm", "llm-6d5f7c-abcde", "llm", ""},
		{"llm-new", "llm-new-6d5f7c-abcde", "llm-new", ""},
		{"", "llm-new-6d5f7c-abcde", "llm-new", ""},
		{"llm", "llm-new-6d5f7c-abcde", "", "X-Inference-Pod: llm-new-6d5f7c-abcde is of llm-new, but X-Sandbox-Pool: llm of llm"},
		{"other", "", "", "X-Sandbox-Pool: other stands for no version"},
		{"", "", "", "no header tells the version"},
	} {
		header := http.Header{}
		if c.pool != "" {
			header.Set("x-sandbox-pool", c.pool)
		}
		if c.pod != "" {
			header.Set("x-inference-pod", c.pod)
		}
		if version, problem := who.version(header); version != c.version || problem != c.problem {
			t.Errorf("%v: got %q, %q", c, version, problem)
		}
	}
}

func TestTheEndOfAStreamIsJudged(t *testing.T) {
	const first = `data: {"model":"m","choices":[{"finish_reason":null}]}` + "\n\n"
	const last = `data: {"model":"m","choices":[{"finish_reason":"length"}]}` + "\n\n"
	const done = "data: [DONE]\n\n"
	for text, failure := range map[string]string{
		first + last + done:                         "",
		": a comment\r\n\r\n" + first + last + done: "",
		first + last:                                failTruncated,
		first + done:                                failTruncated,
		first:                                       failTruncated,
		"":                                          failTruncated,
		strings.TrimSpace(first + last + done):      "",
		strings.Replace(first+last+done, `"m"`, `"other"`, 1):       failWrongModel,
		strings.Replace(first+last+done, `length`, `abort`, 1):      failTruncated,
		"data: {\n\n" + last + done:                                 failMalformed,
		`data: {"error":{"message":"x"}}` + "\n\n" + done:           failMalformed,
		"data: " + strings.Repeat("x", 70_000) + "\n\n" + done:      failMalformed,
		first + last + done + "data: after the end is not read\n\n": "",
	} {
		result := &outcome{}
		if err := readStream(strings.NewReader(text), &shape{model: "m", replyModel: "m"}, result); err != nil || result.failure != failure {
			t.Errorf("%.80q: got %q (%s), %v; want %q", text, result.failure, result.detail, err, failure)
		}
	}
}

func TestARequestStaysWithThePhaseItWasSentIn(t *testing.T) {
	book := newLedger("a", nil)
	slow := book.begin()
	book.mark("b", set([]string{"v2"}), true)
	if over := book.closed(false); len(over) != 0 {
		t.Fatalf("phase a is reported with a request under way: %+v", over)
	}
	book.finish(slow, &outcome{version: "v1", status: 200})
	if !slow.allowed("v1") {
		t.Error("phase a allows all, but v1 is judged by phase b")
	}
	over := book.closed(false)
	if len(over) != 1 || over[0].Phase != "a" || over[0].OK != 1 {
		t.Errorf("want phase a with one good request, got %+v", over)
	}
	if now := book.now("progress", false); now.Requests != 0 {
		t.Errorf("phase b has sent nothing, but counts %d", now.Requests)
	}
}

func TestALongPhaseHasCoarserBinsThatLoseNothing(t *testing.T) {
	line := newTimeline()
	for second := range 3600 {
		line.add("v1", time.Duration(second)*time.Second)
		if second >= 1800 {
			line.add("v2", time.Duration(second)*time.Second)
		}
	}
	told := line.copy()
	sum, first := uint32(0), -1
	for bin, n := range told.Versions["v2"] {
		sum += n
		if n > 0 && first < 0 {
			first = bin
		}
	}
	if sum != 1800 || first*told.BinMillis != 1_800_000 {
		t.Errorf("v2: %d replies from %d ms on; want 1800 from 1800000 ms on", sum, first*told.BinMillis)
	}
	for version, bins := range told.Versions {
		if len(bins) > maxBins {
			t.Errorf("%s has %d bins", version, len(bins))
		}
	}
	if told.BinMillis != 80 {
		t.Errorf("an hour has bins of %d ms; want 80", told.BinMillis)
	}
}

func TestSharesArePickedIndependently(t *testing.T) {
	o := &options{models: []share{{"a", 3}, {"b", 1}}, shapes: []share{{"chat", 1}, {"completion", 1}}, maxTokens: 1}
	all := newShapes(o)
	counts := map[string]int{}
	for range 40_000 {
		sh := all.next()
		counts[sh.model+sh.path]++
	}
	for key, want := range map[string]int{"a/v1/chat/completions": 15_000, "b/v1/completions": 5_000} {
		if got := counts[key]; got < want-500 || got > want+500 {
			t.Errorf("%s: %d times, want about %d", key, got, want)
		}
	}
}

// BenchmarkRequest is the cost of one request with a trivial server in the same process: the load's own share is less.
func BenchmarkRequest(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"model":"m","choices":[{"finish_reason":"stop"}]}`))
	}))
	defer server.Close()
	o, err := parse([]string{"-url", server.URL, "-model", "m", "-connections", "4", "-requests", "1"}, nil)
	if err != nil {
		b.Fatal(err)
	}
	o.requests = uint64(b.N)
	book := newLedger("", nil)
	g := &generator{options: o, book: book, client: newClient(o), requests: newShapes(o)}
	b.ResetTimer()
	g.send(context.Background(), context.Background())
	if book.failed() {
		b.Fatal(book.now("", false).Samples)
	}
}
