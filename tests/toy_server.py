"""Stands in for a model's server: well after --wait seconds, with a child that left its group.

Its first lines are the child's process id, and what it was given as its key.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--wait", type=float, default=0)
    parser.add_argument("--fails", action="store_true")
    parser.add_argument("--stubborn", action="store_true", help="heed no SIGTERM")
    args = parser.parse_args()
    if args.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if args.fails:
        sys.exit("There is no such model.")
    sleeper = "import time; time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", sleeper], start_new_session=True)
    print(child.pid, flush=True)
    print(os.environ.get("TOY_KEY", "no key"), flush=True)
    well = time.monotonic() + args.wait

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if time.monotonic() > well else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    HTTPServer(("127.0.0.1", 0), Handler).serve_forever()
