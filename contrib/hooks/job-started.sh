#!/bin/sh
# ACTIONS_RUNNER_HOOK_JOB_STARTED=/usr/local/lib/ghoard/job-started.sh in the runner's .env: each
# job's commands find the host's daemon.  A hook that fails fails the job, so it never does.
socket=${GHOARD_HOST_SOCKET:-/run/ghoard/ghoard.sock}
if [ -S "$socket" ] && [ -n "${GITHUB_ENV:-}" ]; then
	printf 'GHOARD_SOCKET=%s\n' "$socket" >>"$GITHUB_ENV" ||
		echo "ghoard: $GITHUB_ENV cannot be written" >&2
else
	echo "ghoard: no daemon on $socket; this job asks GitHub itself" >&2
fi
exit 0
