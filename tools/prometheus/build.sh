#!/bin/sh
# Builds the Prometheus server and promtool of the version in go.mod, for the tests that ask a real one.
# Into ~/.cache/inference-rollouts/prometheus-<version>/, which is where tests/observe/real_prometheus.py looks; once for
# each version (three minutes, 100 MB). Without the service discovery of clouds and without the web pages: no test needs them.
set -eu
cd "$(dirname "$0")"
version=$(sed -n 's|^\t*github.com/prometheus/prometheus \(v[^ ]*\).*|\1|p' go.mod)
home="${XDG_CACHE_HOME:-$HOME/.cache}/inference-rollouts/prometheus-$version"
if [ -x "$home/prometheus" ] && [ -x "$home/promtool" ]; then
  echo "prometheus $version: $home"
  exit 0
fi
command -v go >/dev/null || { echo "Go is needed to build Prometheus $version (https://go.dev/dl); without it its tests are skipped" >&2; exit 1; }
echo "prometheus $version: building, which takes a few minutes"
partial="$home.partial"
mkdir -p "$partial"
go build -trimpath -ldflags '-s -w' -tags remove_all_sd,netgo -o "$partial/" \
  github.com/prometheus/prometheus/cmd/prometheus github.com/prometheus/prometheus/cmd/promtool
rm -rf "$home"
mv "$partial" "$home"
echo "prometheus $version: $home"
