#!/usr/bin/env python3
"""How many requests a second `burin serve` answers, and how long they take, beside the model's own speed.

    bench/serve_load.py BURIN MODEL IMAGE [--clients 1,4,16,64] [--seconds 10] [--json FILE]

Every client keeps its connection and asks again as soon as it is answered. The model's own speed is that of
`burin predict` on the same image, one at a time and in batches of 16, without its first batch. Server and clients
share the machine, as the model's threads and the clients share its cores.
"""
import argparse
import json
import os
import re
import socket
import subprocess
import threading
import time


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return re.search(r"model name\s*: (.*)", file.read()).group(1)


def own_speed(burin, model, image, batch):
    """Images a second of `burin predict`: the model alone, and with decoding."""
    command = [burin, "-q", "predict", "-m", model, "--format", "json", "--batch-size", str(batch)] + [image] * (batch * 4)
    results = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)["results"][batch:]
    forward = sum(result["ms"]["forward"] for result in results)
    every = forward + sum(result["ms"]["decode"] + result["ms"]["preprocess"] for result in results)
    return 1000 * len(results) / forward, 1000 * len(results) / every


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
    times = sorted(t for thread in threads for t in thread.seconds)
    at = lambda share: 1000 * times[min(len(times) - 1, int(share * len(times)))]
    return {"clients": clients, "requests_per_s": round(len(times) / taken, 1), "p50_ms": round(at(0.5), 1),
            "p99_ms": round(at(0.99), 1), "answered": len(times), "busy_503": sum(t.busy for t in threads),
            "failed": sum(t.failed for t in threads)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("burin")
    parser.add_argument("model")
    parser.add_argument("image")
    parser.add_argument("--clients", default="1,4,16,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    given = parser.parse_args()
    with open(given.image, "rb") as file:
        image = file.read()
    head = ("POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Length: {len(image)}\r\n\r\n")
    result = {"cpu": cpu_name(), "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1),
              "image_bytes": len(image), "own": {}, "served": []}
    for batch in (1, 16):
        forward, every = own_speed(given.burin, given.model, given.image, batch)
        result["own"][f"batch_{batch}"] = {"forward_images_per_s": round(forward, 1), "images_per_s": round(every, 1)}
        print(f"burin predict, batch {batch:2}: {every:8.1f} images/s ({forward:.1f} the model alone)", flush=True)
    server, port = start(given.burin, given.model)
    try:
        load(port, head.encode() + image, 4, 1)  # warm
        for clients in map(int, given.clients.split(",")):
            row = load(port, head.encode() + image, clients, given.seconds)
            result["served"].append(row)
            print("{clients:4} clients: {requests_per_s:8.1f} requests/s   p50 {p50_ms:7.1f} ms   p99 {p99_ms:7.1f} ms   "
                  "503: {busy_503}   failed: {failed}".format(**row), flush=True)
    finally:
        server.terminate()
        server.wait()
    if given.json:
        with open(given.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
