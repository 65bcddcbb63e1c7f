"""/_fake/…: the stand-in's Python calls over HTTP, for programs that start it as a process of its own."""

from aiohttp import web

MODEL = (
    "add_user",
    "add_token",
    "revoke",
    "add_repo",
    "rename",
    "delete_repo",
    "set",
    "add_reader",
    "remove_reader",
    "add_issue",
    "add_workflow",
    "add_run",
    "add_runner",
    "add_object",
    "add_commit",
    "add_release",
    "add_artifact",
    "add_status",
)
STAND_IN = ("reset", "forget", "calm", "trouble", "alter")


async def control(fake, request):
    """POST /_fake/NAME with a JSON object of arguments; GET /_fake/requests and
    /_fake/count?path=…&billable=true.

    cache_token with repo and scopes gives a token for the Actions cache; GET /_fake/cache_keys what is kept.

    It is answered on plain HTTP alone, and GitHub has no such path.
    """
    if request.secure:
        return web.json_response({"message": "Not Found"}, status=404)
    name = request.path.removeprefix("/_fake/")
    try:
        if request.method == "GET":
            which = {
                k: {"true": True, "false": False}.get(v, int(v) if k == "status" else v)
                for k, v in request.query.items()
            }
            found = fake.find(**which)
            if name == "count":
                return web.json_response(len(found))
            if name == "requests":
                return web.json_response([r.line() for r in found])
            if name == "cache_keys":
                return web.json_response(fake.caches.keys())
        elif request.method == "POST":
            args = await request.json() if request.can_read_body else {}
            if name == "etags":
                fake.etag_mode = args["mode"]
            elif name == "latency":
                fake.latency = args["seconds"]
            elif name == "limit":
                fake.limits.set(**args)
            elif name == "secondary":
                fake.limits.set_secondary(**args)
            elif name == "up":
                await fake._listen("tls", *fake.sites["tls"][1:])
            elif name == "down":
                await fake.sites["tls"][0].stop()
            elif name == "cache_token":
                return web.json_response({"token": fake.caches.token(**args), "results_url": f"{fake.http}/"})
            elif name in MODEL:
                getattr(fake.model, name)(**args)
            elif name in STAND_IN:
                for key in ("body",):
                    if isinstance(args.get(key), str):
                        args[key] = args[key].encode()
                getattr(fake, name)(**args)
            else:
                raise LookupError(f"no control is called {name}")
            return web.json_response({"done": name})
    except (TypeError, ValueError, KeyError, LookupError, AttributeError) as wrong:
        return web.json_response({"message": f"{type(wrong).__name__}: {wrong}"}, status=400)
    return web.json_response({"message": "Not Found"}, status=404)
