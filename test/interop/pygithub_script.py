"""What a script with PyGithub does: a repository, its issues over all pages, and one of them by its `url`."""

import json
import os

import github

hub = github.Github(
    auth=github.Auth.Token(os.environ["TOKEN"]), base_url=os.environ["BASE_URL"], per_page=3, retry=None
)
repo = hub.get_repo("octocat/hello-world")
issues = list(repo.get_issues())
lazy = hub.get_repo("octocat/hello-world", lazy=True).get_contents("README.md")
lazy.update()
print(
    json.dumps(
        {
            "repo": repo.full_name,
            "login": hub.get_user().login,
            "issues": [one.number for one in issues],
            "text": lazy.decoded_content.decode(),
            "url": issues[0].url,
        }
    )
)
