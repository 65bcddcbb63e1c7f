// What a program with go-github does: a repository, the user, a list over all its pages.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/url"
	"os"

	"github.com/google/go-github/v74/github"
)

func main() {
	base := os.Getenv("BASE_URL")
	client := github.NewClient(nil).WithAuthToken(os.Getenv("TOKEN"))
	if os.Getenv("WAY") == "enterprise" { // it adds /api/v3 by itself
		enterprise, err := client.WithEnterpriseURLs(base, base)
		check(err)
		client = enterprise
	} else {
		address, err := url.Parse(base + "/")
		check(err)
		client.BaseURL = address
	}
	ctx := context.Background()
	repo, _, err := client.Repositories.Get(ctx, "octocat", "hello-world")
	check(err)
	me, _, err := client.Users.Get(ctx, "")
	check(err)
	numbers := []int{}
	options := &github.IssueListByRepoOptions{ListOptions: github.ListOptions{PerPage: 3}}
	for {
		issues, answer, err := client.Issues.ListByRepo(ctx, "octocat", "hello-world", options)
		check(err)
		for _, one := range issues {
			numbers = append(numbers, one.GetNumber())
		}
		if answer.NextPage == 0 {
			break
		}
		options.ListOptions.Page = answer.NextPage
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{
		"repo": repo.GetFullName(), "login": me.GetLogin(), "issues": numbers,
	}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
