#!/usr/bin/env bash
# Version: Snakemake 9.27.1, snakemake-storage-plugin-http 0.3.1, Python 3.11
# Behaviour: The answer to GET is stored whatever its status, so an error page becomes the input; and the query string is no part of the local copy's name, so that two addresses that differ in it share one copy.
# Output seen: a.txt: the server is busy (status 503), exit status 0; two inputs ?id=A and ?id=B: both files hold the same letter
# Why one guesses wrong: The status of HEAD is checked, and curl --fail stops at 503; addresses that differ are different inputs in the plan and its listing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1 snakemake-storage-plugin-http==0.3.1
cd "$folder"
cat >server.py <<'PYTHON'
import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer(200, b"")

    def do_GET(self):
        if self.path == "/busy.txt":
            self.answer(503, b"the server is busy\n")
        else:
            self.answer(200, self.path[-1:].encode())

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w") as stream:
    stream.write(str(server.server_address[1]))
os.rename("port.new", "port")
server.serve_forever()
PYTHON
venv/bin/python server.py &
server=$!
trap 'kill "$server"; rm -rf "$folder"' EXIT
while ! test -s port; do sleep 0.1; done
cat >Snakefile <<'RULES'
at = "http://127.0.0.1:" + open("port").read()
rule busy:
    input: storage.http(at + "/busy.txt")
    output: "busy.txt"
    shell: "cp {input} {output}"
rule query:
    input: a=storage.http(at + "/file?id=A"), b=storage.http(at + "/file?id=B")
    output: "query.txt"
    shell: "cat {input.a} {input.b} > {output}"
RULES
venv/bin/snakemake --cores 1 busy.txt >log 2>&1 || { cat log; exit 1; }
venv/bin/snakemake --cores 1 query.txt >log 2>&1 || { cat log; exit 1; }
echo "busy.txt: $(cat busy.txt); two inputs: $(cat query.txt)"
grep -q busy busy.txt && grep -Eq '^(AA|BB)$' query.txt || { echo "the behaviour has changed"; exit 1; }
