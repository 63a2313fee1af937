package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// answer is what chat/completions and completions have in common, whole or as one event of a stream.
type answer struct {
	Model   string `json:"model"`
	Choices []struct {
		FinishReason *string `json:"finish_reason"`
	} `json:"choices"`
	Error json.RawMessage `json:"error"`
}

// A generation that ended for another reason was broken off: vLLM says "abort" when it is shut down in the middle.
var finished = map[string]bool{"stop": true, "length": true, "tool_calls": true}

// judgeBody judges a whole reply.
func judgeBody(body []byte, sh *shape, result *outcome) {
	if len(body) > maxBody {
		result.fail(failMalformed, fmt.Sprintf("more than %d bytes", maxBody))
		return
	}
	var reply answer
	if err := json.Unmarshal(body, &reply); err != nil {
		// A body without a length ends where the connection ends: only its text tells that the rest is missing.
		if len(body) == 0 || err.Error() == "unexpected end of JSON input" {
			result.fail(failTruncated, "the JSON is cut off: "+short(body))
			return
		}
		result.fail(failMalformed, err.Error()+": "+short(body))
		return
	}
	g := generation{shape: sh, result: result}
	g.take(&reply, body)
	g.end()
}

// generation follows one generation through its events; a reply in one piece has one.
type generation struct {
	shape  *shape
	result *outcome
	reason string
}

func (g *generation) take(reply *answer, text []byte) {
	if len(reply.Error) > 0 && string(reply.Error) != "null" {
		g.result.fail(failMalformed, "an error with status 200: "+short(text))
		return
	}
	if reply.Model != g.shape.replyModel {
		g.result.fail(failWrongModel, fmt.Sprintf("asked for %q, the reply names %q", g.shape.model, reply.Model))
	}
	for _, choice := range reply.Choices {
		if choice.FinishReason != nil && *choice.FinishReason != "" {
			g.reason = *choice.FinishReason
		}
	}
}

func (g *generation) end() {
	switch {
	case g.reason == "":
		g.result.fail(failTruncated, "no finish_reason")
	case !finished[g.reason]:
		g.result.fail(failTruncated, fmt.Sprintf("finish_reason %q", g.reason))
	}
}

var lines = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

var (
	dataField = []byte("data:")
	doneEvent = []byte("[DONE]")
)

// readStream judges a stream of server-sent events, each one line of data: it must bring a finish_reason, then [DONE], then its proper end.
func readStream(body io.Reader, sh *shape, result *outcome) error {
	reader := lines.Get().(*bufio.Reader)
	defer func() { reader.Reset(nil); lines.Put(reader) }()
	reader.Reset(body)
	g := generation{shape: sh, result: result}
	done, events := false, 0
	for {
		line, err := reader.ReadSlice('\n')
		if data, ok := bytes.CutPrefix(line, dataField); ok && !done {
			if events++; events == 1 {
				result.firstByte = time.Now()
			}
			done = g.event(bytes.TrimSpace(data), err == nil)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			result.fail(failMalformed, "an event longer than 64 KiB")
			return nil
		case errors.Is(err, io.EOF):
			if !done {
				result.fail(failTruncated, fmt.Sprintf("the stream ended without [DONE] after %d events", events))
			}
			return nil
		case err != nil:
			return fmt.Errorf("after %d events: %w", events, err)
		}
	}
}

// event takes one event, whole or cut off; true when it was the last.
func (g *generation) event(data []byte, whole bool) bool {
	if bytes.Equal(data, doneEvent) {
		g.end()
		return true
	}
	var reply answer
	if err := json.Unmarshal(data, &reply); err != nil {
		if whole {
			g.result.fail(failMalformed, err.Error()+": "+short(data))
		}
		return false
	}
	g.take(&reply, data)
	return false
}
