package main

import (
	"fmt"
	"net/http"
)

// attribution tells from a reply's headers which version served it.
type attribution struct {
	headers []string // canonical
	rules   []versionRule
}

func newAttribution(o *options) *attribution {
	a := &attribution{rules: o.versions}
	for _, header := range o.versionHeaders {
		a.headers = append(a.headers, http.CanonicalHeaderKey(header))
	}
	return a
}

// version returns the version that all version headers of the reply agree on, or "" and why there is none.
//
// Without rules every reply is of the version "", and that is well.
func (a *attribution) version(header http.Header) (version, problem string) {
	if len(a.rules) == 0 {
		return "", ""
	}
	seen := ""
	for _, name := range a.headers {
		values := header[name]
		if len(values) == 0 {
			continue
		}
		said := a.match(values[0])
		if said == "" {
			return "", fmt.Sprintf("%s: %s stands for no version", name, values[0])
		}
		if version != "" && version != said {
			return "", fmt.Sprintf("%s: %s is of %s, but %s of %s", name, values[0], said, seen, version)
		}
		version, seen = said, fmt.Sprintf("%s: %s", name, values[0])
	}
	if version == "" {
		return "", "no header tells the version"
	}
	return version, ""
}

func (a *attribution) match(value string) string {
	for _, rule := range a.rules {
		if rule.pattern.MatchString(value) {
			return rule.version
		}
	}
	return ""
}
