"""Stand-ins for where adapters come from: a Cloud Storage bucket, the metadata server, the Hugging Face hub."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from tests.data.fake_vllm import Answer, FakeServer, Request


class FakeMetadata(FakeServer):
    """Gives access tokens to whoever sends `Metadata-Flavor: Google`, a new one each time."""

    def __init__(self, expires_in: int = 3600) -> None:
        super().__init__()
        self.expires_in = expires_in
        self.tokens: list[str] = []

    def answer(self, request: Request) -> Answer:
        if request.path != "/computeMetadata/v1/instance/service-accounts/default/token":
            return Answer(404)
        if request.headers.get("Metadata-Flavor") != "Google":
            return Answer(403)
        self.tokens.append(f"pod-token-{len(self.tokens)}")
        return Answer(200, {"access_token": self.tokens[-1], "expires_in": self.expires_in, "token_type": "Bearer"})


class FakeBucket(FakeServer):
    """The JSON API of one bucket, with pages of two objects; it believes the tokens of one metadata server."""

    def __init__(self, metadata: FakeMetadata | None, name: str = "models") -> None:
        super().__init__()
        self.metadata, self.name = metadata, name
        self.objects: dict[str, bytes] = {}
        self.broken: set[str] = set()  # objects whose transfer ends too early

    def answer(self, request: Request) -> Answer:
        if not self._may(request.headers.get("Authorization")):
            return Answer(401, {"error": {"code": 401}})
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        root = f"/storage/v1/b/{self.name}/o"
        if path == root:
            return self._list(query.get("prefix", [""])[0], int(query.get("pageToken", ["0"])[0]))
        name = unquote(path.removeprefix(f"{root}/"))
        if name not in self.objects or query.get("alt") != ["media"]:
            return Answer(404)
        self.wait_for_release(name)
        data = self.objects[name]
        return Answer(200, data, {"Content-Length": str(len(data) + 7)} if name in self.broken else {})

    def _may(self, authorization: str | None) -> bool:
        return self.metadata is None or authorization in [f"Bearer {token}" for token in self.metadata.tokens]

    def _list(self, prefix: str, first: int) -> Answer:
        names = sorted(name for name in self.objects if name.startswith(prefix))
        items = {"items": [{"name": name} for name in names[first : first + 2]]} if names else {}
        following = {"nextPageToken": str(first + 2)} if first + 2 < len(names) else {}
        return Answer(200, {**items, **following})


class FakeCdn(FakeServer):
    """Another host, to which the hub sends large files; like a signed URL, it wants no Authorization header."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}

    def answer(self, request: Request) -> Answer:
        if "Authorization" in request.headers:
            return Answer(400, "only one way to authorize")
        return Answer(200, self.files[request.path]) if request.path in self.files else Answer(404)


class FakeHub(FakeServer):
    """One private repository at one revision; .safetensors come from the CDN, the rest from this host."""

    def __init__(self, cdn: FakeCdn, token: str, repository: str = "acme/llm", revision: str = "v1") -> None:
        super().__init__()
        self.cdn, self.token, self.repository, self.revision = cdn, token, repository, revision
        self.commit = "0123abc"
        self.files: dict[str, bytes] = {}

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return Answer(401)
        if request.path == f"/api/models/{self.repository}/revision/{self.revision}":
            return Answer(200, {"sha": self.commit, "siblings": [{"rfilename": name} for name in self.files]})
        if request.path.startswith("/api/resolve-cache/"):
            return Answer(200, self.files[request.path.removeprefix("/api/resolve-cache/")])
        name = request.path.removeprefix(f"/{self.repository}/resolve/{self.commit}/")
        if name not in self.files:
            return Answer(404)
        if not name.endswith(".safetensors"):
            return Answer(307, b"", {"Location": f"/api/resolve-cache/{name}"})
        self.cdn.files[f"/{name}"] = self.files[name]
        return Answer(302, b"", {"Location": f"{self.cdn.url}/{name}"})
