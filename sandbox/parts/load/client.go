package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// What a failed request is counted under: the first thing that went wrong with it.
const (
	failConnect      = "connect"       // no connection
	failNoReply      = "no_reply"      // the connection ended before a status came
	failStatus       = "status"        // another status than 200
	failTruncated    = "truncated"     // the body or the stream ended too early
	failMalformed    = "malformed"     // complete, but not what the API says
	failTimeout      = "timeout"       // not complete in time
	failWrongVersion = "wrong_version" // served by a version that the phase does not allow
	failNoVersion    = "no_version"    // nobody can tell which version served it
	failWrongModel   = "wrong_model"   // the reply names another model
	failOverflow     = "overflow"      // due, but never sent: too many were under way
	failCancelled    = "cancelled"     // still under way when the time at the end was over
)

// outcome is what became of one request.
type outcome struct {
	number  uint64
	model   string
	version string // "" where no reply told it
	status  int    // 0 where there was none
	failure string // "" when it was answered well
	detail  string

	due       time.Time // when it should have been sent; latency counts from here
	sent      time.Time
	firstByte time.Time // of the body: the first event of a stream
	done      time.Time
}

func (r *outcome) fail(kind, detail string) {
	if r.failure == "" {
		r.failure, r.detail = kind, detail
	}
}

// client sends requests and judges the replies.
type client struct {
	http    *http.Client
	timeout time.Duration
	who     *attribution
	buffers sync.Pool
}

// newClient never repeats a request behind the caller's back: net/http sends a POST again only where no byte of it was written.
func newClient(o *options) *client {
	size := max(o.connections, o.maxInFlight)
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: o.timeout}).DialContext,
		MaxIdleConns:        size,
		MaxIdleConnsPerHost: size,
		DisableCompression:  true,
	}
	return &client{
		http:    &http.Client{Transport: transport, CheckRedirect: noRedirect},
		timeout: o.timeout,
		who:     newAttribution(o),
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// do sends request number and fills in what became of it; allowed is asked about the version that served it.
func (c *client) do(ctx context.Context, all *shapes, sh *shape, result *outcome, allowed func(string) bool) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	defer func() { result.done = time.Now() }()
	result.sent = time.Now()
	request, err := all.build(limited, sh, result.number)
	if err != nil {
		result.fail(failConnect, err.Error())
		return
	}
	response, err := c.http.Do(request)
	if err != nil {
		result.fail(c.lost(ctx, limited, err, failNoReply))
		return
	}
	defer response.Body.Close()
	result.firstByte = time.Now()
	result.status = response.StatusCode
	version, problem := c.who.version(response.Header)
	result.version = version
	if response.StatusCode != http.StatusOK {
		result.fail(failStatus, c.snippet(response.Body))
		return
	}
	if problem != "" {
		result.fail(failNoVersion, problem)
	} else if !allowed(version) {
		result.fail(failWrongVersion, "served by "+version)
	}
	if err := c.read(response, sh, result); err != nil {
		result.fail(c.lost(ctx, limited, err, failTruncated))
	}
}

// read judges the body; an error is one of the connection.
func (c *client) read(response *http.Response, sh *shape, result *outcome) error {
	kind := response.Header.Get("Content-Type")
	if sh.stream {
		if !strings.HasPrefix(kind, "text/event-stream") {
			result.fail(failMalformed, fmt.Sprintf("asked for a stream, got Content-Type %q: %s", kind, c.snippet(response.Body)))
			return nil
		}
		return readStream(response.Body, sh, result)
	}
	buffer := c.buffers.Get().(*bytes.Buffer)
	defer c.buffers.Put(buffer)
	buffer.Reset()
	if _, err := buffer.ReadFrom(io.LimitReader(response.Body, maxBody+1)); err != nil {
		return err
	}
	judgeBody(buffer.Bytes(), sh, result)
	return nil
}

// lost names the failure behind an error of the connection: ours (time over, cancelled), or else the given one.
func (c *client) lost(whole, limited context.Context, err error, otherwise string) (kind, detail string) {
	var op *net.OpError
	switch {
	case whole.Err() != nil:
		return failCancelled, "still under way at the end"
	case errors.Is(limited.Err(), context.DeadlineExceeded):
		return failTimeout, "not complete after " + c.timeout.String()
	case errors.As(err, &op) && op.Op == "dial":
		return failConnect, op.Error()
	}
	return otherwise, innermost(err).Error()
}

// innermost drops the method and the URL, which every request has in common.
func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		if _, isOp := err.(*net.OpError); isOp {
			return err
		}
		err = next
	}
	return err
}

// snippet is the beginning of a body, for a sample. It also reads the rest, so that the connection can be used again.
func (c *client) snippet(body io.Reader) string {
	head, _ := io.ReadAll(io.LimitReader(body, maxSnippet))
	_, _ = io.Copy(io.Discard, io.LimitReader(body, maxBody))
	return short(head)
}

const (
	maxBody    = 4 << 20 // bytes; a longer reply is malformed
	maxSnippet = 200     // bytes
)

func short(text []byte) string {
	if len(text) > maxSnippet {
		text = text[:maxSnippet]
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(text)), "?")
}
