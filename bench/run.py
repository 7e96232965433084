#!/usr/bin/env python3
"""Speed as ratios: Malecón beside a bare poem handler that returns the same bytes, in one run.

Needs wrk, and psql for PostgreSQL. `bench/run.py` builds and measures; TEST_DATABASE_URL adds PostgreSQL. Rounds are
interleaved and medians taken, so that a busy machine is equally unfair to both. `bench/run.py --before BINARY` measures
another build of Malecón in the same rounds, where what is asked for needs no more than a demo on SQLite.
"""
import http.client
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS, SECONDS, CONNECTIONS = 5, 3, 32
ADMIN = {"Authorization": "Bearer abcdef1234567890"}
HOT = {
    "GET /api/countries": "/api/countries",
    "GET /v3.1/all, 8 fields": "/v3.1/all?fields=name,flags,capital,population,continents,timezones,area,latlng",
}


BEARER = f"Authorization: {ADMIN['Authorization']}"
# A thousand users with a thousand favorites each, and one with ten.
USERS, FAVORITES, MOVIES = 1_000, 1_000, 2_000
FEW, MANY = USERS + 100, 100
# Runs of an integration task in one round.
RUNS = 2_000


class Tmdb(BaseHTTPRequestHandler):
    """Twenty invented movies, on each page."""

    def do_GET(self):
        movies = [
            {"id": n, "title": f"Movie {n}", "overview": "About a wall and the sea. " * 8, "release_date": "2024-05-01",
             "genre_ids": [18, 35], "popularity": 10.5, "vote_average": 7.1, "vote_count": 120, "adult": False}
            for n in range(1, 21)
        ]
        body = json.dumps({"page": 1, "results": movies, "total_pages": 500, "total_results": 10_000}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def execute(url, folder, statement):
    """Runs a statement, in which `{numbers:N}` stands for a table of 1 to N; its first value."""

    def numbers(match):
        if url.startswith("sqlite"):
            return f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {match[1]}) SELECT n FROM c"
        return f"SELECT n FROM generate_series(1, {match[1]}) n"

    statement = re.sub(r"\{numbers:(\d+)\}", numbers, statement)
    if url.startswith("sqlite"):
        database = sqlite3.connect(Path(folder) / "bench.db", timeout=60)
        row = database.execute(statement).fetchone()
        database.commit()
        database.close()
        return row and row[0]
    command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def settle(url):
    """What a server would do by itself in the minutes after so many rows, in the way of what is measured."""
    return "ANALYZE" if url.startswith("sqlite") else "VACUUM ANALYZE"


def fill(url, folder):
    """A table of a million favorites."""
    for statement in [
        "INSERT INTO users (id, name, last_name, email, role, disabled, token_version, revision, created_at) "
        f"SELECT n + 99, 'u', '', 'u' || n || '@example.com', 'USER', FALSE, 1, 1, 0 FROM ({{numbers:{USERS + 1}}}) x",
        "INSERT INTO movies (id, title_folded, release_date, fetched_at, record) "
        "SELECT n, 'movie ' || n, 738000 + n % 900, 0, '{\"id\":' || n || ',\"title\":\"Movie ' || n || '\",\"adult\":false}' "
        f"FROM ({{numbers:{MOVIES}}}) x",
        "INSERT INTO favorites (user_id, movie_id, added_at, released, stars) "
        f"SELECT u.n + 99, 1 + (u.n * 7 + m.n) % {MOVIES}, 0, 738000 + (1 + (u.n * 7 + m.n) % {MOVIES}) % 900, -1 FROM ({{numbers:{USERS}}}) u, ({{numbers:{FAVORITES}}}) m",
        f"INSERT INTO favorites (user_id, movie_id, added_at, released, stars) SELECT {FEW}, n, 0, 738000 + n % 900, -1 FROM ({{numbers:10}}) x",
        settle(url),
    ]:
        execute(url, folder, statement)


def fill_runs(url, folder, first, last):
    """Runs that are over, of task 1, with these numbers."""
    numbers = f"(SELECT n + {first - 1} AS n FROM ({{numbers:{last - first + 1}}}) x) y"
    number = "'01900000-0000-7000-8000-' || CAST(100000000000 + n AS TEXT)"
    for statement in [
        "INSERT INTO runs (id, owner, task_id, lane, state, attempts, max_attempts, cancelled, created_at, due_at, "
        f"started_at, ended_at, job) SELECT {number}, 1, 1, 'x', 'succeeded', 1, 1, FALSE, n, n, n, n, '{{}}' FROM {numbers}",
        "INSERT INTO attempts (run_id, number, started_at, ended_at, outcome, trace) "
        f"SELECT {number}, 1, n, n, 'succeeded', '{{}}' FROM {numbers}",
        settle(url),
    ]:
        execute(url, folder, statement)


def run_rate(url, folder, base):
    """Runs a second, from the first that is accepted to the last that is over."""
    def accept():
        connection = http.client.HTTPConnection(base.removeprefix("http://"))
        for _ in range(RUNS // 8):
            connection.request("POST", "/integration-tasks/execute/1", headers=ADMIN)
            answer = connection.getresponse()
            assert answer.status == 202, answer.read()
            answer.read()

    begun = time.perf_counter()
    threads = [threading.Thread(target=accept) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while int(execute(url, folder, "SELECT COUNT(*) FROM runs WHERE state IN ('queued', 'running')")):
        time.sleep(0.01)
    return RUNS / (time.perf_counter() - begun)


def get(url, headers=None, method="GET"):
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}, method=method), timeout=30)


def wait(url):
    for _ in range(100):
        try:
            return get(url).read()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{url} does not answer")


def wrk(url, *more):
    """Requests a second, and the 99th percentile in ms."""
    out = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", *more, url],
        check=True, capture_output=True, text=True,
    ).stdout
    assert "Non-2xx" not in out or "If-None-Match" in " ".join(more), out
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", out).groups()
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def beside(name, ours, bare, before=None):
    """Interleaved rounds of all; prints the ratios of the medians."""
    sides = [side for side in (bare, ours, before) if side]
    rounds = [[wrk(*side) for side in sides] for _ in range(ROUNDS)]

    def ratios(side):
        rate, tail = ([statistics.median(r[n][part] for r in rounds) for n in (side, 0)] for part in (0, 1))
        return f"{rate[0] / rate[1]:.2f} | {tail[0] / tail[1]:.2f}"

    print(f"| {name} | {ratios(1)} |" + (f" before: {ratios(2)} |" if before else ""), flush=True)


def main():
    before = Path(sys.argv[2]).resolve() if sys.argv[1:2] == ["--before"] else None
    env = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL")}
    tmdb = ThreadingHTTPServer(("127.0.0.1", 0), Tmdb)
    threading.Thread(target=tmdb.serve_forever, daemon=True).start()
    movies = {"TMDB_TOKEN": "bench", "TMDB_URL": f"http://127.0.0.1:{tmdb.server_port}", "MALECON_CACHE_TTL": "1h", "MALECON_RATE_LIMIT": "100000000"}
    tasks = {"MALECON_ALLOW_TARGETS": "127.0.0.1", "MALECON_PER_HOST": "16"}
    env |= movies | tasks
    build = ["cargo", "build", "--release", "--locked", "-p", "malecon-server", "-p", "malecon-http", "--bins", "--examples"]
    subprocess.run(build, cwd=ROOT, env=env, check=True)
    release = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    stores = {"SQLite": "sqlite://bench.db?mode=rwc"}
    if os.environ.get("TEST_DATABASE_URL"):
        stores["PostgreSQL"] = os.environ["TEST_DATABASE_URL"]
    with tempfile.TemporaryDirectory() as folder:
        running = []

        def start(*command):
            running.append(subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.DEVNULL))

        try:
            print("| answer | rate, bare poem = 1 | p99, bare poem = 1 |\n|---|---|---|")
            old = "http://127.0.0.1:8109"
            if before:
                start(before, "serve", "--demo", "--listen", "127.0.0.1:8109", "--database-url", "sqlite://before.db?mode=rwc", "--log", "warn")
                wait(f"{old}/health/ready")
            for store_number, (store, url) in enumerate(stores.items()):
                port = 8110 + 10 * store_number
                base = f"http://127.0.0.1:{port}"
                start(release / "malecon", "serve", "--demo", "--listen", f"127.0.0.1:{port}", "--database-url", url, "--log", "warn")
                wait(f"{base}/health/ready")
                for number, (name, path) in enumerate(HOT.items() if store_number == 0 else []):
                    body = Path(folder) / f"body{number}"
                    body.write_bytes(get(base + path).read())
                    bare = f"http://127.0.0.1:{port + 1 + number}/"
                    start(release / "examples" / "bare", str(port + 1 + number), str(body))
                    wait(bare)
                    beside(f"hot {name}, {body.stat().st_size / 1000:.0f} KB", [base + path], [bare], before and [old + path])
                    asked = [[f"{at}{path}", "-H", f"If-None-Match: {get(at + path).headers['ETag']}"] for at in ([base, old] if before else [base])]
                    beside(f"304 {name}", asked[0], [bare], before and asked[1])
                if store_number == 0:
                    path = "/api/movies/popular"
                    body = Path(folder) / "movies"
                    body.write_bytes(get(base + path, ADMIN).read())
                    bare = f"http://127.0.0.1:{port + 5}/"
                    start(release / "examples" / "bare", str(port + 5), str(body))
                    wait(bare)
                    name = f"hot GET /api/movies/popular with a token, {body.stat().st_size / 1000:.0f} KB"
                    if before:
                        get(old + path, ADMIN).read()
                    beside(name, [base + path, "-H", BEARER], [bare], before and [old + path, "-H", BEARER])
                script = Path(folder) / "cold.lua"
                script.write_text(
                    "local n = 0\nrequest = function() n = n + 1\n"
                    'return wrk.format("GET", "/api/countries?continent=europe&sort=-population&population__lte=" .. (1000000000 + n)) end\n'
                )
                beside(f"cold filtered list, {store}", [base, "-s", str(script)], ["http://127.0.0.1:8111/"], before and store_number == 0 and [old, "-s", str(script)])
                fill(url, folder)
                few, many = [[f"{base}/api/users/{user}/favorites", "-H", BEARER] for user in (FEW, MANY)]
                ten, thousand = [statistics.median(rates) for rates in zip(*((wrk(*few)[0], wrk(*many)[0]) for _ in range(ROUNDS)))]
                print(f"| first page of 1,000 favorites of a million, {store}: {ten / thousand:.2f} times as long as of 10 | | |", flush=True)
                times = []
                for _ in range(15):
                    begun = time.perf_counter()
                    assert b'"unchanged":250' in get(f"{base}/api/countries/sync", ADMIN, "POST").read()
                    times.append(time.perf_counter() - begun)
                rate, _ = wrk("http://127.0.0.1:8111/")
                print(f"| sync of 250 unchanged countries, {store}: as long as {statistics.median(times) * rate:.0f} bare answers | | |", flush=True)
                task = {"name": "bench", "config": {"base_url": "http://127.0.0.1:8111/", "http_method": "GET"}}
                request = urllib.request.Request(f"{base}/integration-tasks", json.dumps(task).encode(), ADMIN | {"Content-Type": "application/json"})
                assert urllib.request.urlopen(request).status == 201
                fill_runs(url, folder, 1, 1_000)
                run_rate(url, folder, base)
                few = [run_rate(url, folder, base) for _ in range(3)]
                print(f"| a run of an integration task, {store}: as long as {rate / statistics.median(few):.0f} bare answers | | |", flush=True)
                if store == "PostgreSQL":
                    start(release / "malecon", "serve", "--demo", "--listen", "127.0.0.1:8129", "--database-url", url, "--log", "warn")
                    wait("http://127.0.0.1:8129/health/ready")
                    two = [run_rate(url, folder, base) for _ in range(3)]
                    print(f"| two processes, {store}: {statistics.median(two) / statistics.median(few):.2f} times as many runs as one | | |", flush=True)
                    running.pop().terminate()
                fill_runs(url, folder, 1_001, 1_000_000)
                many = [run_rate(url, folder, base) for _ in range(3)]
                print(f"| with a million runs that are over, {store}: {statistics.median(many) / statistics.median(few):.2f} times as many as with a thousand | | |", flush=True)
        finally:
            for process in running:
                process.terminate()


if __name__ == "__main__":
    main()
