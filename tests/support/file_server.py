#!/usr/bin/env python3
"""Serves a folder on the loopback device, with ranges. Prints its port, then each request's range.

    file_server.py FOLDER [cut=BYTES] [ranges=no]

cut: the first answer breaks off after so many bytes. ranges=no: a server that can't resume.
"""
import http.server
import os
import sys

folder = sys.argv[1]
options = dict(word.split("=") for word in sys.argv[2:])
cut = int(options.get("cut", 0))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global cut
        path = os.path.join(folder, os.path.basename(self.path))
        print(self.headers.get("Range", "all"), flush=True)
        if not os.path.exists(path):
            self.send_error(404)
            return
        content = open(path, "rb").read()
        begin = 0
        asked = self.headers.get("Range")
        if asked and options.get("ranges") != "no":
            begin = int(asked[len("bytes="):].split("-")[0])
            if begin >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        body = content[begin:]
        if cut:
            body, cut = body[:cut], 0
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
