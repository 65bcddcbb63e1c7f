// What a step with @actions/github does; it reads GITHUB_API_URL when it is loaded.
import * as github from "@actions/github";

const octokit = (github.getOctokit ?? github.default.getOctokit)(process.env.TOKEN);
const where = { owner: "octocat", repo: "hello-world" };
const repo = await octokit.rest.repos.get(where);
const me = await octokit.rest.users.getAuthenticated();
const issues = await octokit.paginate(octokit.rest.issues.listForRepo, { ...where, per_page: 3 });
const answer = await octokit.graphql(
  "query($owner: String!, $repo: String!) { repository(owner: $owner, name: $repo) { stargazerCount } }",
  where,
);
console.log(
  JSON.stringify({
    repo: repo.data.full_name,
    login: me.data.login,
    issues: issues.map((one) => one.number),
    stars: answer.repository.stargazerCount,
  }),
);
