"""A stand-in on loopback for a Hugging Face hub: the part of its HTTP API that sending and fetching a model needs."""

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

MAIN = "main"


class Repository:
    """Files by commit, and the newest commit of each branch."""

    def __init__(self, private):
        self.private = private
        self.commits = {}
        self.branches = {}
        self.add(MAIN, {".gitattributes": b"*.safetensors filter=lfs\n"})

    def add(self, branch, files):
        """Makes a commit; returns its name."""
        before = self.commits[self.branches[branch]] if branch in self.branches else {}
        content = {**before, **files}
        name = hashlib.sha1(repr((len(self.commits), sorted(content.items()))).encode()).hexdigest()
        self.commits[name] = content
        self.branches[branch] = name
        return name

    def commit_of(self, revision):
        return self.branches.get(revision, revision if revision in self.commits else None)


class Hub(http.server.ThreadingHTTPServer):
    """Keeps repositories in memory; `requests` keeps (method, path, token) of all requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories = {}
        self.requests = []
        self.token = "hf_test"
        self.claimed_sizes = {}  # file name to the size that the hub says it has

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def files(self, repository, revision=MAIN):
        kept = self.repositories[repository]
        return kept.commits[kept.commit_of(revision)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        path, body = self.begin(), self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.token != self.server.token:
            return self.fail(401, "Unauthorized", "Invalid credentials")
        match path:
            case ["api", "repos", "create"]:
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                if name in self.server.repositories:
                    return self.answer(
                        {"error": "You already created it", "url": f"{self.server.url}/{name}"}, status=409
                    )
                private = asked.get("private") or asked.get("visibility") == "private"
                self.server.repositories[name] = Repository(bool(private))
                return self.answer({"url": f"{self.server.url}/{name}"})
            case ["api", "validate-yaml"]:
                return self.answer({"errors": [], "warnings": []})
            case ["api", "models", owner, name, "branch", branch]:
                kept = self.server.repositories[f"{owner}/{name}"]
                if branch in kept.branches:
                    return self.fail(409, "Conflict", "Reference already exists")
                kept.branches[branch] = kept.branches[MAIN]
                return self.answer({})
            case ["api", "models", _, _, "preupload", _]:
                files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                         for one in json.loads(body)["files"]]  # fmt: skip
                return self.answer({"files": files})
            case ["api", "models", owner, name, "commit", branch]:
                lines = [json.loads(line) for line in body.splitlines()]
                added = [line["value"] for line in lines if line["key"] == "file"]
                files = {value["path"]: base64.b64decode(value["content"]) for value in added}
                commit = self.server.repositories[f"{owner}/{name}"].add(branch, files)
                where = f"{self.server.url}/{owner}/{name}/commit/{commit}"
                return self.answer({"success": True, "commitOid": commit, "commitUrl": where})
        return self.fail(404, "EntryNotFound", "no such call")

    def do_GET(self):
        match self.begin():
            case ["api", "models", owner, name]:
                return self.describe(f"{owner}/{name}", MAIN)
            case ["api", "models", owner, name, "revision", revision]:
                return self.describe(f"{owner}/{name}", revision)
            case [owner, name, "resolve", revision, *parts]:
                return self.send_file(f"{owner}/{name}", revision, "/".join(parts))
        return self.fail(404, "EntryNotFound", "no such call")

    def do_HEAD(self):
        self.do_GET()

    def begin(self):
        """Notes a request; returns the parts of its path."""
        path = urlsplit(self.path).path
        self.token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        self.server.requests.append((self.command, path, self.token))
        return [unquote(part) for part in path.strip("/").split("/")]

    def repository(self, name):
        kept = self.server.repositories.get(name)
        visible = kept and (not kept.private or self.token == self.server.token)
        return kept if visible else self.fail(404, "RepoNotFound", "Repository not found")

    def describe(self, name, revision):
        kept = self.repository(name)
        if kept is None:
            return
        commit = kept.commit_of(revision)
        if commit is None:
            return self.fail(404, "RevisionNotFound", "Invalid rev id")
        siblings = [{"rfilename": file} for file in kept.commits[commit]]
        self.answer({"_id": "1", "id": name, "sha": commit, "private": kept.private, "siblings": siblings})

    def send_file(self, name, revision, file):
        kept = self.repository(name)
        if kept is None:
            return
        commit = kept.commit_of(revision)
        content = kept.commits[commit].get(file) if commit else None
        if content is None:
            return self.fail(404, "EntryNotFound", "Entry not found")
        size = self.server.claimed_sizes.get(file, len(content))
        headers = {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Linked-Size": size}
        self.answer(content, headers)

    def answer(self, content, headers=None, status=200):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code, message):
        self.answer({"error": message}, {"X-Error-Code": code, "X-Error-Message": message}, status)

    def log_message(self, *args):
        pass


@contextmanager
def serving() -> Iterator[Hub]:
    """Runs a hub in a thread."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
