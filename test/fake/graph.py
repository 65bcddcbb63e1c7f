"""POST /graphql: a small part of GitHub's schema, executed by graphql-core."""

import functools

import graphql

from .routes import Answer, Refused

SCHEMA = """
type Query { viewer: User!  repository(owner: String!, name: String!): Repository  rateLimit: RateLimit }
type Mutation {
  addStar(input: AddStarInput!): AddStarPayload
  updateRepository(input: UpdateInput!): UpdatePayload
}
input AddStarInput { starrableId: ID!  clientMutationId: String }
input UpdateInput { repositoryId: ID!  description: String  clientMutationId: String }
type AddStarPayload { clientMutationId: String  starrable: Repository }
type UpdatePayload { clientMutationId: String  repository: Repository }
type User { login: String!  name: String }
type Owner { login: String!  id: ID! }
type RateLimit { limit: Int!  cost: Int!  remaining: Int!  used: Int!  resetAt: String! }
type PageInfo { hasNextPage: Boolean!  endCursor: String }
type Issue { number: Int!  title: String!  state: String! }
type IssueConnection { totalCount: Int!  nodes: [Issue]  pageInfo: PageInfo! }
type Branch { name: String! }
type Repository {
  id: ID!  databaseId: Int  name: String!  nameWithOwner: String!  description: String  isPrivate: Boolean!
  owner: Owner!  stargazerCount: Int!  url: String!  updatedAt: String  defaultBranchRef: Branch
  issues(first: Int, after: String): IssueConnection!
  release(tagName: String!): Release
}
type Release { databaseId: Int  tagName: String!  isDraft: Boolean! }
"""


@functools.lru_cache
def schema():
    return graphql.build_schema(SCHEMA)


class Repository:
    def __init__(self, item):
        self.item = item
        self.id, self.databaseId, self.name, self.nameWithOwner = (
            str(item.id),
            item.id,
            item.name,
            item.full_name,
        )
        self.description, self.isPrivate = item.fields.get("description"), item.private
        self.owner = {"login": item.owner, "id": item.owner}
        self.stargazerCount, self.updatedAt = item.fields["stargazers_count"], item.fields["updated_at"]
        self.url = f"https://github.com/{item.full_name}"
        self.defaultBranchRef = {"name": item.fields["default_branch"]}

    def issues(self, info, first=30, after=None):
        start = int(after or 0)
        part = self.item.issues[start : start + first]
        end = start + len(part)
        return {
            "totalCount": len(self.item.issues),
            "nodes": [dict(i, state=i["state"].upper()) for i in part],
            "pageInfo": {"hasNextPage": end < len(self.item.issues), "endCursor": str(end)},
        }

    def release(self, info, tagName):
        found = next((r for r in self.item.releases if r["tag_name"] == tagName), None)
        return found and {"databaseId": found["id"], "tagName": tagName, "isDraft": found["draft"]}


class Root:
    def __init__(self, call):
        self.call = call
        self.viewer = {"login": call.user, "name": call.model.users[call.user]["name"]}

    def _visible(self, item, what):
        if item is None or not item.seen_by(self.call.user):
            raise graphql.GraphQLError(f"Could not resolve to a Repository with the name '{what}'.")
        return item

    def repository(self, info, owner, name):
        return Repository(self._visible(self.call.model.repo(f"{owner}/{name}"), f"{owner}/{name}"))

    def rateLimit(self, info):
        window = self.call.limits.window(self.call.token, self.call.model.tokens[self.call.token], "graphql")
        return {
            "limit": window.limit,
            "cost": 1,
            "remaining": window.remaining,
            "used": window.used,
            "resetAt": str(window.reset),
        }

    def addStar(self, info, input):
        item = self._visible(self.call.model.repo(int(input["starrableId"])), input["starrableId"])
        self.call.model.set(item, stargazers_count=item.fields["stargazers_count"] + 1)
        return {"clientMutationId": input.get("clientMutationId"), "starrable": Repository(item)}

    def updateRepository(self, info, input):
        item = self._visible(self.call.model.repo(int(input["repositoryId"])), input["repositoryId"])
        self.call.model.set(item, description=input.get("description"))
        return {"clientMutationId": input.get("clientMutationId"), "repository": Repository(item)}


def answer(call):
    if call.method != "POST":
        raise Refused(404, "Not Found")
    if call.user is None:
        raise Refused(401, "This endpoint requires you to be authenticated.")
    asked = call.json
    if not isinstance(asked, dict) or not asked.get("query"):
        raise Refused(400, "A query attribute must be specified and must be a string.")
    result = graphql.graphql_sync(
        schema(),
        asked["query"],
        Root(call),
        variable_values=asked.get("variables"),
        operation_name=asked.get("operationName"),
    )
    body = {"data": result.data} if result.data is not None or not result.errors else {}
    if result.errors:
        body["errors"] = [
            {
                "type": "NOT_FOUND" if "resolve to" in e.message else "INVALID",
                "message": e.message,
                "path": e.path,
            }
            for e in result.errors
        ]
    return Answer(body=body, etag=False, media="github.v4; format=json")
