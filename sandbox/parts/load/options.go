package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// options is everything that the command line says, checked.
type options struct {
	url       string
	host      string
	headers   []pair
	models    []share
	shapes    []share
	prompt    string
	maxTokens int
	ignoreEOS bool
	aliases   map[string]string // model asked for -> model in the reply, where they differ by design

	versions       []versionRule
	versionHeaders []string

	rate        float64
	connections int
	maxInFlight int
	ramp        time.Duration
	requests    uint64
	limit       time.Duration
	timeout     time.Duration
	drain       time.Duration
	seed        uint64

	phase   string
	allow   []string
	every   time.Duration
	control bool
}

// pair is NAME=VALUE.
type pair struct{ name, value string }

// share is NAME=SHARE: shares are relative to their sum.
type share struct {
	name  string
	share float64
}

// versionRule says which values of the version headers stand for a version.
type versionRule struct {
	version string
	pattern *regexp.Regexp
}

const usage = `load sends requests to an OpenAI-style endpoint and accounts for every one of them.

  load -url http://127.0.0.1:8080 -model llm -rate 200 -for 1m
  load -url http://127.0.0.1:8080 -model llm -connections 8 -shape chat-stream -max-tokens 300 -ignore-eos -for 5m

Flags:
`

// parse reads the command line; an error is a sentence.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{aliases: map[string]string{}}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage); flags.PrintDefaults() }
	o.defineTarget(flags)
	o.defineVersions(flags)
	o.definePace(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	return o, o.check()
}

func (o *options) defineTarget(flags *flag.FlagSet) {
	flags.StringVar(&o.url, "url", "", "where the endpoint is, without /v1")
	flags.StringVar(&o.host, "host", "", "Host header, where it is not the URL's")
	flags.Func("header", "'Name: value' sent with each request (repeatable)", func(text string) error {
		name, value, ok := strings.Cut(text, ":")
		if !ok {
			return errors.New("write 'Name: value'")
		}
		o.headers = append(o.headers, pair{strings.TrimSpace(name), strings.TrimSpace(value)})
		return nil
	})
	flags.Func("model", "NAME[=SHARE] of a model or adapter to ask for (repeatable)", appendShare(&o.models))
	flags.Func("shape", "chat, chat-stream, completion or completion-stream, [=SHARE] (repeatable; default chat)", appendShare(&o.shapes))
	flags.StringVar(&o.prompt, "prompt", "Say a number near", "prompt; the request's number is added to it")
	flags.IntVar(&o.maxTokens, "max-tokens", 8, "max_tokens of each request")
	flags.BoolVar(&o.ignoreEOS, "ignore-eos", false, "ask for exactly max_tokens (vLLM's ignore_eos)")
	flags.Func("reply-model", "ASKED=REPLY where the reply names another model than was asked for (repeatable)", func(text string) error {
		asked, reply, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("write ASKED=REPLY")
		}
		o.aliases[asked] = reply
		return nil
	})
}

func (o *options) defineVersions(flags *flag.FlagSet) {
	flags.Func("version", "NAME=REGEXP of the header values that stand for a version (repeatable)", func(text string) error {
		name, pattern, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return errors.New("write NAME=REGEXP")
		}
		compiled, err := regexp.Compile(pattern)
		o.versions = append(o.versions, versionRule{name, compiled})
		return err
	})
	o.versionHeaders = []string{"X-Sandbox-Pool", "X-Inference-Pod"}
	flags.Func("version-headers", "reply headers that tell the version, with commas (default x-sandbox-pool,x-inference-pod)", func(text string) error {
		o.versionHeaders = strings.Split(text, ",")
		return nil
	})
	flags.StringVar(&o.phase, "phase", "start", "name of the first phase")
	flags.Func("allow", "versions that may answer in the first phase, with commas (default: all)", func(text string) error {
		o.allow = strings.Split(text, ",")
		return nil
	})
	flags.DurationVar(&o.every, "every", time.Second, "time between reports")
	flags.BoolVar(&o.control, "control", false, "take commands as JSON lines from stdin; its end ends the run at once")
}

func (o *options) definePace(flags *flag.FlagSet) {
	flags.Float64Var(&o.rate, "rate", 0, "open loop: requests a second, whether or not replies come")
	flags.IntVar(&o.connections, "connections", 0, "closed loop: connections that each send when their reply is there")
	flags.IntVar(&o.maxInFlight, "max-in-flight", 1000, "open loop: a request due beyond this many is not sent but counted as overflow")
	flags.DurationVar(&o.ramp, "ramp", 0, "closed loop: spread the start of the connections over this time")
	flags.Uint64Var(&o.requests, "requests", 0, "stop after this many")
	flags.DurationVar(&o.limit, "for", 0, "stop after this time")
	flags.DurationVar(&o.timeout, "timeout", 30*time.Second, "time for one whole reply")
	flags.DurationVar(&o.drain, "drain", 60*time.Second, "at the end, time for what is under way")
	flags.Uint64Var(&o.seed, "seed", 1, "of the choice of models and shapes")
}

func (o *options) check() error {
	parsed, err := url.Parse(o.url)
	switch {
	case err != nil || parsed.Scheme != "http" || parsed.Host == "":
		return fmt.Errorf("-url %q: want http://HOST:PORT", o.url)
	case len(o.models) == 0:
		return errors.New("-model is missing: which model to ask for")
	case (o.rate > 0) == (o.connections > 0):
		return errors.New("say either -rate (open loop) or -connections (closed loop)")
	case o.requests == 0 && o.limit == 0:
		return errors.New("say where it ends: -requests or -for")
	case o.maxInFlight < 1 || o.maxTokens < 1 || o.every <= 0 || o.timeout <= 0 || o.rate < 0:
		return errors.New("-rate, -max-in-flight, -max-tokens, -every and -timeout are above 0")
	}
	o.url = strings.TrimSuffix(o.url, "/")
	if len(o.shapes) == 0 {
		o.shapes = []share{{"chat", 1}}
	}
	return errors.Join(checkShapes(o.shapes), checkAllowed(o.allow, o.versions))
}

func checkShapes(shapes []share) error {
	for _, s := range shapes {
		if _, known := kinds[s.name]; !known {
			return fmt.Errorf("-shape %q: want chat, chat-stream, completion or completion-stream", s.name)
		}
	}
	return nil
}

func checkAllowed(allow []string, versions []versionRule) error {
	for _, name := range allow {
		if !known(name, versions) {
			return fmt.Errorf("-allow %q: no -version has this name", name)
		}
	}
	return nil
}

func known(name string, versions []versionRule) bool {
	for _, rule := range versions {
		if rule.version == name {
			return true
		}
	}
	return false
}

func appendShare(list *[]share) func(string) error {
	return func(text string) error {
		name, number, given := strings.Cut(text, "=")
		part := 1.0
		if given {
			var err error
			if part, err = strconv.ParseFloat(number, 64); err != nil || !(part > 0) {
				return errors.New("a share is a number above 0")
			}
		}
		*list = append(*list, share{name, part})
		return nil
	}
}
