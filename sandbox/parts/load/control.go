package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// command is one line on stdin. Its parts are independent, and done in this order.
type command struct {
	Phase    *string  `json:"phase"`    // begin a phase of this name
	Allow    []string `json:"allow"`    // versions that may answer from now on; missing: all in a new phase, else as before
	Reset    *bool    `json:"reset"`    // a new phase counts from 0 (default), or goes on counting
	Timeline bool     `json:"timeline"` // report now, with the timeline
	Stop     bool     `json:"stop"`     // send nothing new, let finish what is under way
}

// commands does what the lines on stdin say.
type commands struct {
	book *ledger
	out  *reporter
	stop func() // send nothing new
	cut  func() // break off what is under way
}

// listen reads commands until the input ends. Unless "stop" came before, nobody is there any more to read what comes: all ends at once.
func listen(in io.Reader, c *commands) {
	stopped := false
	scanner := bufio.NewScanner(in)
	for scanner.Scan() {
		var line command
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			fmt.Fprintf(os.Stderr, "load: %q is no command: %v\n", scanner.Text(), err)
			continue
		}
		c.do(&line)
		if line.Stop {
			stopped = true
			c.stop()
		}
	}
	if !stopped {
		c.stop()
		c.cut()
	}
}

func (c *commands) do(line *command) {
	switch {
	case line.Phase != nil:
		c.book.mark(*line.Phase, set(line.Allow), line.Reset == nil || *line.Reset)
		c.out.write(c.book.now("marked", false))
	case line.Allow != nil:
		c.book.permit(set(line.Allow))
		c.out.write(c.book.now("marked", false))
	}
	if line.Timeline {
		c.out.write(c.book.now("progress", true))
	}
}
