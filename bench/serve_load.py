#!/usr/bin/env python3
"""How many requests a second `burin serve` answers, and how long they take, beside the model's own speed.

    bench/serve_load.py BURIN MODEL IMAGE [--clients 1,8,64] [--seconds 4] [--rounds 3] [--json FILE]

Every client keeps its connection and asks again as soon as it is answered. The model's own speed is that of
`burin predict` on the same image, one at a time and in batches of 16, without its start: what one client and what
many can hope for. Both are measured in turns, and of each the median of the rounds is told; latencies are of all
rounds together. Server and clients share the machine, as the model's threads and the clients share its cores.
"""
import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import threading
import time


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return re.search(r"model name\s*: (.*)", file.read()).group(1)


def own_speed(burin, model, image, batch):
    """Images a second of `burin predict`: the model alone, and all of it once it is under way."""
    def run(count):
        begin = time.perf_counter()
        command = [burin, "-q", "predict", "-m", model, "--format", "json", "--batch-size", str(batch)] + [image] * count
        results = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["results"][batch:]
        return time.perf_counter() - begin, sum(result["ms"]["forward"] for result in results) / len(results)

    few, many = 32, 224
    (seconds_of_few, _), (seconds_of_many, forward_ms) = run(few), run(many)
    return 1000 / forward_ms, (many - few) / (seconds_of_many - seconds_of_few)


def start(burin, model):
    server = subprocess.Popen([burin, "serve", "-m", model, "--port", "0"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    for line in server.stdout:
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        if found:
            return server, int(found.group(1))
    raise RuntimeError("burin serve did not start")


class Client(threading.Thread):
    def __init__(self, port, request, end):
        super().__init__()
        self.port, self.request, self.end = port, request, end
        self.seconds, self.busy, self.failed = [], 0, 0

    def run(self):
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            while time.perf_counter() < self.end:
                begin = time.perf_counter()
                status = self.ask(connection)
                if status == 200:
                    self.seconds.append(time.perf_counter() - begin)
                elif status == 503:
                    self.busy += 1
                    time.sleep(1)  # as Retry-After says
                else:
                    self.failed += 1
                    return

    def ask(self, connection):
        connection.sendall(self.request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = connection.recv(65536)
            if not more:
                return 0
            answer += more
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        while len(body) < length:
            body += connection.recv(65536)
        return int(head[9:12])


def load(port, request, clients, seconds):
    begin = time.perf_counter()
    threads = [Client(port, request, begin + seconds) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - begin
    times = [t for thread in threads for t in thread.seconds]
    return {"requests_per_s": len(times) / taken, "times": times, "busy": sum(t.busy for t in threads),
            "failed": sum(t.failed for t in threads)}


def summary(clients, rounds, own):
    """A row of the table: `rounds` of load() with so many clients, beside the model's own images/s in each."""
    times = sorted(t for one in rounds for t in one["times"])
    at = lambda share: round(1000 * times[min(len(times) - 1, int(share * len(times)))], 1)
    shares = [one["requests_per_s"] / speed for one, speed in zip(rounds, own)]
    return {"clients": clients, "requests_per_s": round(statistics.median(one["requests_per_s"] for one in rounds), 1),
            "of_own_speed": round(statistics.median(shares), 2), "of_own_speed_range": [round(min(shares), 2), round(max(shares), 2)],
            "p50_ms": at(0.5), "p99_ms": at(0.99), "answered": len(times), "busy_503": sum(one["busy"] for one in rounds),
            "failed": sum(one["failed"] for one in rounds)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("burin")
    parser.add_argument("model")
    parser.add_argument("image")
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    given = parser.parse_args()
    with open(given.image, "rb") as file:
        image = file.read()
    head = ("POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(image)}\r\n\r\n")
    request = head.encode() + image
    clients = [int(count) for count in given.clients.split(",")]
    own = {1: [], 16: []}  # by batch
    served = {count: [] for count in clients}
    load_before = os.getloadavg()[0]
    server, port = start(given.burin, given.model)
    try:
        load(port, request, 4, 1)  # warm
        for _ in range(given.rounds):
            for batch, speeds in own.items():
                speeds.append(own_speed(given.burin, given.model, given.image, batch))
            for count, rounds in served.items():
                rounds.append(load(port, request, count, given.seconds))
    finally:
        server.terminate()
        server.wait()
    result = {"cpu": cpu_name(), "cores": os.cpu_count(), "load_before": round(load_before, 1), "image_bytes": len(image),
              "rounds": given.rounds, "own": {}, "served": []}
    for batch, speeds in own.items():
        forward, every = (statistics.median(column) for column in zip(*speeds))
        result["own"][f"batch_{batch}"] = {"forward_images_per_s": round(forward, 1), "images_per_s": round(every, 1)}
        print(f"burin predict, batch {batch:2}: {every:8.1f} images/s ({forward:.1f} the model alone)")
    for count in clients:
        row = summary(count, served[count], [every for _, every in own[1 if count == 1 else 16]])
        result["served"].append(row)
        print("{clients:4} clients: {requests_per_s:8.1f} requests/s ({of_own_speed:.2f} of its own speed)   p50 {p50_ms:7.1f} ms   "
              "p99 {p99_ms:7.1f} ms   503: {busy_503}   failed: {failed}".format(**row))
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
