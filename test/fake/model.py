"""What the stand-in knows: users, tokens, repositories and what is in them. Tests change it freely."""

import dataclasses
import hashlib
import itertools
import time


def stamp(seconds=None):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds if seconds is not None else time.time()))


def sha1(kind, text):
    """A git object name: it needs only to be 40 hex digits that follow from the content."""
    return hashlib.sha1(f"{kind} {text}".encode()).hexdigest()


@dataclasses.dataclass
class Token:
    user: str
    scopes: str = "repo, workflow"
    limit: int = 5000
    revoked: bool = False
    read_only: bool = False


@dataclasses.dataclass
class Repo:
    id: int
    owner: str
    name: str
    private: bool = False
    readers: set = dataclasses.field(default_factory=set)
    fields: dict = dataclasses.field(default_factory=dict)
    issues: list = dataclasses.field(default_factory=list)
    workflows: list = dataclasses.field(default_factory=list)
    runs: list = dataclasses.field(default_factory=list)
    runners: list = dataclasses.field(default_factory=list)
    labels: list = dataclasses.field(default_factory=list)
    statuses: list = dataclasses.field(default_factory=list)
    releases: list = dataclasses.field(default_factory=list)
    artifacts: list = dataclasses.field(default_factory=list)
    objects: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)

    @property
    def full_name(self):
        return f"{self.owner}/{self.name}"

    def seen_by(self, user):
        return not self.private or (user is not None and (user == self.owner or user in self.readers))

    def touch(self):
        """A new updated_at that differs from the last one even within a second."""
        self.fields["updated_at"] = stamp(self._clock())

    def _clock(self):
        self.ticks = getattr(self, "ticks", 1_790_000_000) + 60
        return self.ticks


class Model:
    def __init__(self):
        self.ids = itertools.count(1_000_001)
        self.users = {}
        self.tokens = {}
        self.repos = {}
        self.names = {}
        self.notifications = []
        self.seed()

    def seed(self):
        """What every test finds: three people, a public and a private repository."""
        for login in ("octocat", "alice", "bob"):
            self.add_user(login)
        self.add_token("alice-token", "alice")
        self.add_token("alice-token-2", "alice")
        self.add_token("bob-token", "bob")
        hello = self.add_repo("octocat/hello-world", description="My first repository on GitHub!")
        for n in range(1, 8):
            self.add_issue("octocat/hello-world", f"Issue {n}")
        self.add_object(hello, "tree", "README")
        self.add_workflow(hello, "CI")
        self.add_runner(hello, "runner-1")
        self.add_run(hello)
        secret = self.add_repo("octocat/secret", private=True, readers={"alice"}, description="For few eyes")
        self.add_issue("octocat/secret", "A secret issue")
        secret.files["plan.txt"] = b"world domination\n"

    # -- people and tokens
    def add_user(self, login, kind="User"):
        self.users[login] = {
            "login": login,
            "id": len(self.users) + 583231,
            "type": kind,
            "site_admin": False,
            "name": login.title(),
            "plan": {"name": "free"},
        }

    def add_token(self, value, user, **more):
        if user not in self.users:
            self.add_user(user)
        self.tokens[value] = Token(user, **more)

    def revoke(self, value):
        self.tokens[value].revoked = True

    # -- repositories
    def add_repo(self, full_name, private=False, readers=(), **fields):
        owner, name = full_name.split("/")
        if owner not in self.users:
            self.add_user(owner)
        repo = Repo(next(self.ids), owner, name, private, set(readers))
        repo.fields = {
            "description": None,
            "created_at": "2011-01-26T19:01:12Z",
            "pushed_at": "2026-01-26T19:06:43Z",
            "stargazers_count": 42,
            "default_branch": "main",
            **fields,
        }
        repo.touch()
        repo.files["README.md"] = f"# {name}\n\nHello.\n".encode()
        repo.labels = [{"id": 1, "name": "bug", "color": "d73a4a", "default": True}]
        self.repos[repo.id] = repo
        self.names[full_name.lower()] = repo.id
        return repo

    def repo(self, which):
        """By Repo, number, or name; a name of the past leads to the same repository."""
        if isinstance(which, Repo):
            return which
        if isinstance(which, int):
            return self.repos.get(which)
        return self.repos.get(self.names.get(which.lower()))

    def rename(self, old, new_name):
        repo = self.repo(old)
        repo.name = new_name
        repo.touch()
        self.names[repo.full_name.lower()] = repo.id
        return repo

    def delete_repo(self, which):
        repo = self.repo(which)
        del self.repos[repo.id]
        self.names = {name: number for name, number in self.names.items() if number != repo.id}

    def set(self, which, **fields):
        repo = self.repo(which)
        repo.fields.update(fields)
        repo.touch()
        return repo

    def add_reader(self, which, user):
        self.repo(which).readers.add(user)

    def remove_reader(self, which, user):
        self.repo(which).readers.discard(user)

    # -- what is inside
    def add_issue(self, which, title, user="octocat", **more):
        repo = self.repo(which)
        number = len(repo.issues) + 1
        issue = {
            "id": next(self.ids),
            "number": number,
            "title": title,
            "state": "open",
            "locked": False,
            "user": {"login": user},
            "labels": [],
            "comments": 0,
            "created_at": stamp(1_780_000_000 + number),
            "updated_at": stamp(1_780_000_000 + number),
            "body": f"Text of {title}",
            **more,
        }
        repo.issues.append(issue)
        return issue

    def add_workflow(self, which, name):
        repo = self.repo(which)
        item = {
            "id": next(self.ids),
            "name": name,
            "path": f".github/workflows/{name.lower()}.yml",
            "state": "active",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-02T00:00:00Z",
        }
        repo.workflows.append(item)
        return item

    def add_run(self, which, status="completed", conclusion="success"):
        repo = self.repo(which)
        number = len(repo.runs) + 1
        item = {
            "id": next(self.ids),
            "name": "CI",
            "run_number": number,
            "run_attempt": 1,
            "event": "push",
            "status": status,
            "conclusion": conclusion,
            "head_branch": "main",
            "head_sha": sha1("commit", str(number)),
            "workflow_id": repo.workflows[0]["id"] if repo.workflows else 0,
            "created_at": stamp(1_785_000_000 + number),
            "updated_at": stamp(1_785_000_100 + number),
        }
        repo.runs.append(item)
        return item

    def add_runner(self, which, name, status="online", busy=False):
        repo = self.repo(which)
        item = {
            "id": len(repo.runners) + 1,
            "name": name,
            "os": "linux",
            "status": status,
            "busy": busy,
            "labels": [{"id": 1, "name": "self-hosted", "type": "read-only"}],
        }
        repo.runners.append(item)
        return item

    def add_object(self, which, kind, text):
        """A blob, tree or commit; a commit and its tree come together."""
        repo = self.repo(which)
        blob, tree, commit = (sha1(k, text) for k in ("blob", "tree", "commit"))
        repo.objects[blob] = {"kind": "blob", "text": text}
        repo.objects[tree] = {"kind": "tree", "entries": [("README.md", blob)]}
        repo.objects[commit] = {"kind": "commit", "tree": tree, "message": text}
        return {"blob": blob, "tree": tree, "commit": commit}[kind]

    def add_commit(self, which, message):
        return self.add_object(which, "commit", message)

    def add_release(self, which, tag, asset=b"asset bytes\n"):
        repo = self.repo(which)
        item = {
            "id": next(self.ids),
            "tag_name": tag,
            "name": tag,
            "draft": False,
            "prerelease": False,
            "published_at": "2026-03-01T00:00:00Z",
            "asset": {"id": next(self.ids), "name": "file.bin", "data": asset},
        }
        repo.releases.insert(0, item)
        return item

    def add_artifact(self, which, name="logs"):
        item = {"id": next(self.ids), "name": name, "size_in_bytes": 20, "expired": False}
        self.repo(which).artifacts.append(item)
        return item

    def add_status(self, which, sha, state="success", context="ci"):
        item = {
            "id": next(self.ids),
            "state": state,
            "context": context,
            "sha": sha,
            "description": None,
            "target_url": None,
            "created_at": stamp(1_786_000_000),
        }
        self.repo(which).statuses.insert(0, item)
        return item
