"""Keeps a model server's LoRA adapters as a list says, and says when its pod may take traffic.

A sidecar in the model server's pod: it reads ADAPTERS_FILE (a ConfigMap key), brings the files of each adapter to
ADAPTERS_DIR, loads them through vLLM's runtime endpoints and believes only what GET /v1/models lists afterwards.
It leaves alone: base models, what only the server's own arguments loaded, and adapters that left the list while this
process did not run. One file, standard library only, Python >= 3.9: it runs in whatever Python the server's image has.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

FILE = Path(os.environ.get("ADAPTERS_FILE", "/etc/adapters/adapters.json"))
DIRECTORY = Path(os.environ.get("ADAPTERS_DIR", "/adapters"))
SERVER_URL = os.environ.get("SERVER_URL", "http://127.0.0.1:8000").rstrip("/")
STATUS_ADDRESS = (os.environ.get("STATUS_HOST", ""), int(os.environ.get("STATUS_PORT", "8081")))
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "2"))
UNLOAD_AFTER_SECONDS = float(os.environ.get("UNLOAD_AFTER_SECONDS", "300"))  # the longest request
EMULATOR = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
STORAGE_URL = (EMULATOR if "://" in EMULATOR else f"http://{EMULATOR}") if EMULATOR else "https://storage.googleapis.com"
# Google's clients ask an emulator without a token; here one is used if a metadata server is named beside it.
METADATA_HOST = os.environ.get("GCE_METADATA_HOST") or ("" if EMULATOR else "metadata.google.internal")
HUB_URL = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
# Secrets often end in a newline, and http.client's complaint about such a header would quote the token.
HUB_TOKEN = "".join(os.environ.get("HF_TOKEN", "").split())

CONTROL_TIMEOUT_SECONDS = 5.0  # /health, /v1/models and the metadata server
LOAD_TIMEOUT_SECONDS = 120.0  # the server reads the whole adapter from disk within the call
REMOTE_TIMEOUT_SECONDS = 30.0  # per read from a bucket or the hub, not per file
LONGEST_BACKOFF_SECONDS = LONGEST_PASS_SECONDS = TOKEN_MARGIN_SECONDS = 60.0
PARTIAL = ".partial-"  # a directory with this prefix is never a complete adapter

log = logging.getLogger("adapter-sync")


class SyncError(Exception):
    """A reason an operator can act on; /adapters shows it as it is, so it never holds a token."""


def describe(error: BaseException) -> str:
    """One line for logs and /adapters."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, SyncError) else f"{type(error).__name__}: {text}"


class TokenStaysHome(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but shows the token to no other host: the hub sends large files to a CDN."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: PLR0917
        """Drop the Authorization header when scheme, host or port change."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urlsplit(req.full_url)[:2] != urlsplit(newurl)[:2]:
            following.remove_header("Authorization")
        return following


REMOTE = urllib.request.build_opener(TokenStaysHome)
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy reaches this pod or its metadata server


def ask(opener: Any, url: str, timeout: float, headers: Any = (), body: Any = None) -> tuple[int, bytes]:
    """Status and body of any HTTP answer; OSError or HTTPException when there is none. A body makes it a POST."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **dict(headers)})
    try:
        with opener.open(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


class MetadataToken:
    """The pod's own access token (Workload Identity), kept until shortly before it expires."""

    value: str = ""
    good_until: float = 0.0  # monotonic seconds

    def get(self) -> str:
        """The one at hand or, near its end, a new one; threads that ask at once may fetch it twice."""
        if time.monotonic() >= self.good_until:
            url = f"http://{METADATA_HOST}/computeMetadata/v1/instance/service-accounts/default/token"
            status, body = ask(LOCAL, url, CONTROL_TIMEOUT_SECONDS, {"Metadata-Flavor": "Google"})
            if status != 200:
                raise SyncError(f"the metadata server gave no access token: HTTP {status}")
            answer = json.loads(body)
            self.value = answer["access_token"]
            self.good_until = time.monotonic() + answer["expires_in"] - TOKEN_MARGIN_SECONDS
        return self.value


BUCKET_TOKEN = MetadataToken()


def token_header(source: str) -> dict[str, str]:
    """Made anew for every request: a token may expire between two large files."""
    token = HUB_TOKEN
    if source.startswith("gs://"):
        token = BUCKET_TOKEN.get() if METADATA_HOST else ""
    return {"Authorization": f"Bearer {token}"} if token else {}


def remote_json(url: str, source: str) -> Any:
    """One page of a listing."""
    status, body = ask(REMOTE, url, REMOTE_TIMEOUT_SECONDS, token_header(source))
    if status != 200:
        raise SyncError(f"{source}: HTTP {status} for the list of files")
    return json.loads(body)


def bucket_files(source: str) -> dict[str, str]:
    """URL by path, from the Cloud Storage JSON API."""
    bucket, _, path = source[len("gs://") :].partition("/")
    prefix = path.rstrip("/") + "/" if path else ""  # with its slash: llm-v1 must not bring llm-v10 along
    base = f"{STORAGE_URL}/storage/v1/b/{quote(bucket, safe='')}/o"
    query = {"prefix": prefix, "fields": "items/name,nextPageToken"}
    names: list[str] = []
    while query.get("pageToken") != "":
        page = remote_json(f"{base}?{urlencode(query)}", source)
        names += [item["name"] for item in page.get("items", [])]
        query["pageToken"] = page.get("nextPageToken", "")
    names = [name for name in names if not name.endswith("/")]  # consoles make empty objects that stand for folders
    return {name[len(prefix) :]: f"{base}/{quote(name, safe='')}?alt=media" for name in names}


def hub_files(source: str) -> dict[str, str]:
    """URL by path, from the hub; by commit, so that a branch that moves meanwhile cannot mix two adapters."""
    match = re.fullmatch(r"hf://([^/@]+/[^/@]+)@(.+)", source)
    if match is None:
        raise SyncError(f"{source}: say hf://owner/name@revision, the revision is required")
    info = remote_json(f"{HUB_URL}/api/models/{quote(match[1])}/revision/{quote(match[2], safe='')}", source)
    base = f"{HUB_URL}/{quote(match[1])}/resolve/{quote(info['sha'])}"
    return {item["rfilename"]: f"{base}/{quote(item['rfilename'])}" for item in info["siblings"]}


def files_of(source: str) -> dict[str, str]:
    """URL by path below the adapter's directory; refused as a whole when one path would leave it."""
    listing = {"gs": bucket_files, "hf": hub_files}.get(source.partition("://")[0])
    if listing is None:
        raise SyncError(f"{source}: a source is gs://bucket/path, hf://owner/name@revision or an absolute path")
    files = listing(source)
    bad = [path for path in files if {"", ".", ".."} & set(path.split("/"))]
    if bad or not files:
        raise SyncError(f"{source}: " + (f"refused the file name {bad[0]!r}" if bad else "no files there"))
    return files


def download(url: str, source: str, target: Path) -> None:
    """One file, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    request = urllib.request.Request(url, headers=token_header(source))
    try:
        with REMOTE.open(request, timeout=REMOTE_TIMEOUT_SECONDS) as response, target.open("wb") as out:
            shutil.copyfileobj(response, out, 1 << 20)
            # Read in chunks, http.client ends a broken transfer like a finished one.
            if out.tell() != int(response.headers.get("Content-Length", out.tell())):
                raise SyncError(f"{source}: {target.name} ended after {out.tell()} bytes")
    except urllib.error.HTTPError as error:
        raise SyncError(f"{source}: HTTP {error.code} for {target.name}") from error


def path_of(name: str, source: str) -> str:
    """Where the server finds the adapter; the hash keeps two sources of one name apart."""
    digest = hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:80]
    return source if source.startswith("/") else str(DIRECTORY / f"{readable}-{digest}")


def partial() -> Path:
    """A fresh directory name for what is half there: being filled, or being thrown away."""
    return DIRECTORY / f"{PARTIAL}{os.urandom(8).hex()}"


def fetch(name: str, source: str) -> None:
    """Make `path_of(name, source)` complete: only the rename at the end makes it appear."""
    target, filling = Path(path_of(name, source)), partial()
    if source.startswith("/") or target.is_dir():
        return
    try:
        for path, url in files_of(source).items():
            download(url, source, filling / path)
        filling.rename(target)
    finally:
        shutil.rmtree(filling, ignore_errors=True)


def server_up() -> bool | None:
    """None means no news: a slow answer is load, not a restart."""
    try:
        return ask(LOCAL, f"{SERVER_URL}/health", CONTROL_TIMEOUT_SECONDS)[0] < 500
    except (OSError, HTTPException) as error:
        return False if isinstance(getattr(error, "reason", error), ConnectionRefusedError) else None


def server_models() -> dict[str, str | None]:
    """The names the server answers to, with the path each adapter was loaded from; None for base models."""
    status, body = ask(LOCAL, f"{SERVER_URL}/v1/models", CONTROL_TIMEOUT_SECONDS)
    if status != 200:
        raise SyncError(f"HTTP {status} from /v1/models")
    return {card["id"]: (card.get("root") or "") if card.get("parent") else None for card in json.loads(body)["data"]}


def server_load(name: str, source: str) -> None:
    """Load, and verify: neither a 200 nor an "already loaded" is proof."""
    body = {"lora_name": name, "lora_path": path_of(name, source)}
    status, answer = ask(LOCAL, f"{SERVER_URL}/v1/load_lora_adapter", LOAD_TIMEOUT_SECONDS, body=body)
    if status != 200 and not (status == 400 and b"already been loaded" in answer):
        raise SyncError(f"the server refused to load it: HTTP {status} {answer.decode(errors='replace')}")
    if name not in server_models():
        raise SyncError(f"the server answered HTTP {status} to the load, but /v1/models does not list it")


def server_unload(name: str) -> None:
    """Unload; 404 says it is gone already."""
    status, answer = ask(LOCAL, f"{SERVER_URL}/v1/unload_lora_adapter", LOAD_TIMEOUT_SECONDS, body={"lora_name": name})
    if status not in (200, 404):
        raise SyncError(f"the server refused to unload it: HTTP {status} {answer.decode(errors='replace')}")


def read_list() -> dict[str, tuple[str, bool]]:
    """Source and routed by name. Routed: it has traffic now, or a rollback needs it."""
    entries: dict[str, tuple[str, bool]] = {}
    try:
        for item in json.loads(FILE.read_text(encoding="utf-8"))["adapters"]:
            name, source, routed = item["name"], item["source"], item["routed"]
            if [type(name), type(source), type(routed)] != [str, str, bool] or not name or name in entries:
                raise ValueError(f"an entry with unusable values or a name that is there twice: {item}")
            entries[name] = source, routed
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        wanted = '{"adapters": [{"name": text, "source": text, "routed": true or false}]}'
        raise SyncError(f"{describe(error)}; wanted is {wanted}") from error
    return entries


@dataclass(eq=False)
class Adapter:
    """What this process knows of one adapter. Only the loop's thread changes it."""

    name: str
    source: str
    routed: bool = False
    state: str = ""  # waiting | downloading | loaded | failed | unloading
    error: str | None = None
    since: str = ""
    refused: str | None = None  # the other source that the list names now
    fetched: bool = False
    held: bool = False  # was seen loaded from this source: ours to unload
    job: Future[None] | None = None
    gone_at: float | None = None  # monotonic seconds when it left the list
    attempts: int = 0
    retry_at: float = 0.0  # monotonic seconds

    def show(self, state: str, error: str | None = None) -> None:
        """Enter a state; one log line per change."""
        if (state, error) != (self.state, self.error):
            log.info("adapter %s from %s: %s%s", self.name, self.source, state, f": {error}" if error else "")
        if state != self.state:
            self.since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.state, self.error = state, error

    def row(self) -> dict[str, Any]:
        """The adapter as /adapters shows it."""
        refused = f"a name keeps its source for ever; the list says {self.refused} now" if self.refused else None
        row = {key: getattr(self, key) for key in ("name", "source", "routed", "state", "since")}
        return {**row, "error": self.error or refused}


@dataclass
class Sync:
    """The loop: list and server are read, then every adapter takes its next step.

    Downloads, loads and unloads are jobs in threads, so that a slow or failing adapter holds up neither the others
    nor /healthz. Jobs change nothing here; their outcome is taken before the server is read again.
    """

    adapters: dict[str, Adapter] = field(default_factory=dict)
    ready: bool = False  # the latch: closes when every routed adapter is loaded, opens when the server loses one
    up: bool = False
    has_list: bool = False
    errors: dict[str, str | None] = field(default_factory=lambda: {"list": "not read yet", "server": None})
    last_pass: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)  # the loop's changes against the status server
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(32))  # more than a server holds

    def run(self) -> None:
        """Never returns; a pass that breaks is logged, and /healthz turns when they go on breaking."""
        while True:
            try:
                self.step()
                self.last_pass = time.monotonic()
            except Exception:
                log.exception("pass failed")
            time.sleep(POLL_SECONDS)

    def step(self) -> None:
        """One pass."""
        with self.lock:
            self.take_list()
            self.take_outcomes()
        up, models, error = server_up(), None, None
        if up:
            try:
                models = server_models()
            except Exception as problem:  # a strange answer may raise anything; it is no news about adapters
                error = describe(problem)
        with self.lock:
            self.report("server", error)
            self.see_server(up)
            for adapter in list(self.adapters.values()):
                (self.keep if adapter.gone_at is None else self.retire)(adapter, models)
            if not self.ready and self.has_list and models is not None and not self.missing():
                self.ready = True
                log.info("ready")

    def report(self, about: str, error: str | None) -> None:
        """What is wrong with the list or the server, or that nothing is any more."""
        if error != self.errors[about]:
            log.info("%s: %s", about, error or "read")
        self.errors[about] = error

    def take_list(self) -> None:
        """Make the list the one in force; one that cannot be read leaves the last good one."""
        try:
            entries, error = read_list(), None
        except SyncError as problem:
            entries, error = None, str(problem)
        self.report("list", error)
        if entries is None:
            return
        self.has_list = True
        for adapter in self.adapters.values():
            if adapter.name not in entries and adapter.gone_at is None:
                adapter.gone_at = time.monotonic()
        for name, (source, routed) in entries.items():
            self.take_entry(name, source, routed)

    def take_entry(self, name: str, source: str, routed: bool) -> None:
        """One adapter of the list; the list may correct its source as long as it was never loaded."""
        known = self.adapters.get(name)
        if known and known.source != source and not known.held and not known.job:
            self.drop(known)
            known = None
        if known is None:
            known = self.adapters[name] = Adapter(name, source)
            known.show("waiting")
        refused = None if known.source == source else source
        if refused and refused != known.refused:
            log.error("adapter %s from %s: the list says %s now", name, known.source, source)
        known.gone_at, known.routed, known.refused = None, routed, refused

    def take_outcomes(self) -> None:
        """After a failure the files are looked at again before the next load."""
        for adapter in self.adapters.values():
            if adapter.job is None or not adapter.job.done():
                continue
            error, adapter.job = adapter.job.exception(), None
            adapter.fetched = error is None
            if error is not None:
                adapter.attempts += 1
                backoff = POLL_SECONDS * 2 ** min(adapter.attempts, 10)
                adapter.retry_at = time.monotonic() + min(LONGEST_BACKOFF_SECONDS, backoff)
                adapter.show("failed" if adapter.gone_at is None else "unloading", describe(error))

    def see_server(self, up: bool | None) -> None:
        """The server came or went; with it went what it had loaded."""
        if up is None or up == self.up:
            return
        self.up = up
        log.info("server: %s", "up" if up else "down")
        for adapter in self.adapters.values():
            adapter.attempts, adapter.retry_at = 0, 0.0
            if not up and adapter.state == "loaded":
                adapter.show("waiting")
        if not up:
            self.ready = False

    def missing(self) -> list[Adapter]:
        """The routed adapters that are not loaded."""
        return [a for a in self.adapters.values() if a.routed and a.gone_at is None and a.state != "loaded"]

    def keep(self, adapter: Adapter, models: dict[str, str | None] | None) -> None:
        """The next step of a listed adapter."""
        if models is not None and adapter.name in models:
            self.verify(adapter, models[adapter.name])
            return
        if models is not None and adapter.state == "loaded":
            adapter.show("waiting", "the server lost it")
            self.ready = self.ready and not adapter.routed
        if adapter.job or adapter.state == "loaded" or time.monotonic() < adapter.retry_at:
            return
        if not adapter.fetched:
            self.start(adapter, "downloading", fetch, adapter.name, adapter.source)
        elif models is not None:
            self.start(adapter, "waiting", server_load, adapter.name, adapter.source)

    def verify(self, adapter: Adapter, root: str | None) -> None:
        """The server lists the name: see whether it means this adapter."""
        if root is None:
            adapter.show("failed", "the server has a base model of this name")
        elif root.startswith("/") and root != path_of(adapter.name, adapter.source):
            adapter.show("failed", f"the server holds this name from {root}, which is another source")
        else:
            adapter.held, adapter.attempts = True, 0
            adapter.show("loaded")

    def retire(self, adapter: Adapter, models: dict[str, str | None] | None) -> None:
        """The next step of an adapter that left the list: running requests may still need it for a while."""
        if models is not None and adapter.name in models and not adapter.held:
            self.verify(adapter, models[adapter.name])  # a load that was on its way when the adapter left
        lost = not self.up or (models is not None and not (adapter.held and adapter.name in models))
        if lost and not adapter.job:
            self.drop(adapter)
            return
        if adapter.state != "unloading":
            adapter.show("unloading")
        due = max((adapter.gone_at or 0.0) + UNLOAD_AFTER_SECONDS, adapter.retry_at)
        if models is not None and not adapter.job and time.monotonic() >= due:
            self.start(adapter, "unloading", server_unload, adapter.name)

    def start(self, adapter: Adapter, state: str, job: Callable[..., None], *args: str) -> None:
        """Run a slow step in a thread; a retry goes on showing why it is one."""
        adapter.job = self.pool.submit(job, *args)
        if adapter.error is None:
            adapter.show(state)

    def drop(self, adapter: Adapter) -> None:
        """Forget it and free its disk: a full emptyDir would evict the serving pod."""
        del self.adapters[adapter.name]
        log.info("adapter %s from %s: forgotten", adapter.name, adapter.source)
        path, trash = path_of(adapter.name, adapter.source), partial()
        if path != adapter.source and os.path.isdir(path):
            os.rename(path, trash)  # at once, so that nobody takes it for complete meanwhile
            self.pool.submit(shutil.rmtree, trash, ignore_errors=True)

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body of a GET: a text as it is, the rest to be sent as JSON."""
        with self.lock:
            if path == "/ready":
                return (200, {"ready": True}) if self.ready else (503, {"ready": False, "reason": self.reason()})
            if path == "/adapters":
                rows = [self.adapters[name].row() for name in sorted(self.adapters)]
                server = "up" if self.up else "down"
                return 200, {"ready": self.ready, "server": server, "errors": self.errors, "adapters": rows}
            if path == "/healthz":
                age = time.monotonic() - self.last_pass
                return 200 if age < LONGEST_PASS_SECONDS else 503, {"seconds_since_last_pass": round(age, 1)}
            return (200, self.metrics()) if path == "/metrics" else (404, None)

    def reason(self) -> str:
        """Why the pod is not ready."""
        if not self.has_list:
            return f"no adapter list yet: {self.errors['list']}"
        if not self.up:
            return "the model server is down"
        if self.errors["server"]:
            return f"the model server does not say what it has loaded: {self.errors['server']}"
        missing = [f"{adapter.name} ({adapter.error or adapter.state})" for adapter in self.missing()]
        return f"routed adapters not loaded: {', '.join(missing) or 'about to be verified'}"

    def metrics(self) -> str:
        """Prometheus' text format; the escapes of its label values are those of JSON."""
        lines = ["# TYPE adapter_sync_ready gauge", f"adapter_sync_ready {int(self.ready)}"]
        lines.append("# TYPE adapter_sync_loaded gauge")
        for adapter in self.adapters.values():
            label = json.dumps(adapter.name, ensure_ascii=False)
            loaded = adapter.held and adapter.state in ("loaded", "unloading")
            lines.append(f"adapter_sync_loaded{{adapter={label}}} {int(loaded)}")
        return "\n".join(lines) + "\n"


class Status(BaseHTTPRequestHandler):
    """Answers GET; nothing here changes anything."""

    sync: Sync
    timeout = 10  # seconds a client may take to send its request

    def do_GET(self) -> None:
        """Answer /ready, /adapters, /healthz and /metrics."""
        status, body = self.sync.answer(self.path.partition("?")[0])
        is_text = isinstance(body, str)
        data = (body if is_text else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4" if is_text else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Probes come every second: no line for them."""


def main() -> None:
    """Answer on STATUS_PORT and run the loop."""
    # At once: a native sidecar is stopped last, nothing is left to tidy up, and threads may be within a long read.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for leftover in DIRECTORY.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    Status.sync = Sync()
    status = ThreadingHTTPServer(STATUS_ADDRESS, Status)
    threading.Thread(target=status.serve_forever, daemon=True).start()
    log.info("status on port %d, server %s, list %s", status.server_port, SERVER_URL, FILE)
    Status.sync.run()


if __name__ == "__main__":
    main()
