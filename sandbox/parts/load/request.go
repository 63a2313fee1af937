package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
)

// kind is one way to ask: which path, and whether the reply is a stream of server-sent events.
type kind struct {
	path   string
	chat   bool
	stream bool
}

var kinds = map[string]kind{
	"chat":              {"/v1/chat/completions", true, false},
	"chat-stream":       {"/v1/chat/completions", true, true},
	"completion":        {"/v1/completions", false, false},
	"completion-stream": {"/v1/completions", false, true},
}

// shape is a request but for its number: the body is head + number + tail.
type shape struct {
	kind
	url        string
	model      string // as asked for
	replyModel string // as the reply must name it
	head, tail []byte
}

// shapes picks shapes at random by their shares. Model and way of asking are picked independently, so that neither hides behind the other.
type shapes struct {
	mu     sync.Mutex
	random *rand.Rand
	models []share
	ways   []share
	byName map[[2]string]*shape
	header http.Header
	host   string
}

func newShapes(o *options) *shapes {
	s := &shapes{
		random: rand.New(rand.NewPCG(o.seed, o.seed)),
		models: o.models, ways: o.shapes, host: o.host,
		byName: map[[2]string]*shape{},
		header: http.Header{"Content-Type": {"application/json"}},
	}
	for _, h := range o.headers {
		s.header.Add(h.name, h.value)
	}
	for _, model := range o.models {
		for _, way := range o.shapes {
			s.byName[[2]string{model.name, way.name}] = newShape(o, model.name, kinds[way.name])
		}
	}
	return s
}

const numberMark = "\x00"

func newShape(o *options, model string, k kind) *shape {
	body := map[string]any{"model": model, "max_tokens": o.maxTokens}
	if k.stream {
		body["stream"] = true
	}
	if o.ignoreEOS {
		body["ignore_eos"] = true
	}
	prompt := o.prompt + " " + numberMark
	if k.chat {
		body["messages"] = []map[string]string{{"role": "user", "content": prompt}}
	} else {
		body["prompt"] = prompt
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	head, tail, _ := bytes.Cut(text, []byte(`\u0000`))
	reply, renamed := o.aliases[model]
	if !renamed {
		reply = model
	}
	return &shape{kind: k, url: o.url + k.path, model: model, replyModel: reply, head: head, tail: tail}
}

// next picks the shape of a request.
func (s *shapes) next() *shape {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byName[[2]string{pick(s.random, s.models), pick(s.random, s.ways)}]
}

func pick(random *rand.Rand, list []share) string {
	if len(list) == 1 {
		return list[0].name
	}
	sum := 0.0
	for _, s := range list {
		sum += s.share
	}
	point := random.Float64() * sum
	for _, s := range list {
		if point -= s.share; point < 0 {
			return s.name
		}
	}
	return list[len(list)-1].name
}

// build makes the HTTP request with this number, which the prompt and a header carry.
func (s *shapes) build(ctx context.Context, sh *shape, number uint64) (*http.Request, error) {
	id := strconv.FormatUint(number, 10)
	body := make([]byte, 0, len(sh.head)+len(id)+len(sh.tail))
	body = append(append(append(body, sh.head...), id...), sh.tail...)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, sh.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = s.header.Clone()
	request.Header["X-Load-Request"] = []string{id}
	request.Host = s.host
	return request, nil
}
