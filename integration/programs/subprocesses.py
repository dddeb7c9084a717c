"""subprocess: pipelines, input, output, errors, timeouts, cwd, env, pass_fds, exit codes."""

import os
import signal
import subprocess

from say import attempt

run = subprocess.run
print(run(["cat", "small.txt"], capture_output=True).stdout)
print(run(["sort", "-r"], input=b"a\nc\nb\n", capture_output=True).stdout)
print(run("cat small.txt | tr a-z A-Z | tail -1", shell=True, capture_output=True, text=True).stdout)
print(run(["pwd"], cwd="dir/sub", capture_output=True, text=True).stdout.strip().endswith("/dir/sub"))
print(run(["sh", "-c", "echo $ONLY"], env={"ONLY": "this"}, capture_output=True).stdout)
print(run(["sh", "-c", "exit 17"]).returncode, run(["sh", "-c", "kill -9 $$"]).returncode)
print(run(["ls", "absent"], capture_output=True).returncode != 0)
attempt("no such program", lambda: run(["./no-such-program"]))
attempt("a directory", lambda: run(["./dir"]))
attempt("not executable", lambda: run(["./notexec.sh"]))
attempt("cwd absent", lambda: run(["true"], cwd="absent"))
try:
    run(["sleep", "60"], timeout=0.2)
except subprocess.TimeoutExpired:
    print("timeout")
reader, writer = os.pipe()
run(["sh", "-c", f"echo passed >&{writer}"], pass_fds=[writer])
os.close(writer)
print(os.read(reader, 100))
with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
    print(cat.communicate(b"x" * 300_000)[0] == b"x" * 300_000)
with subprocess.Popen(["sleep", "60"]) as sleeper:
    sleeper.terminate()
    print(sleeper.wait() == -signal.SIGTERM)
with open("output", "wb") as out:
    run(["sh", "-c", "echo out; echo err >&2"], stdout=out, stderr=subprocess.STDOUT, check=True)
print(open("output").read())
print(os.popen("wc -l < lines.txt").read().strip(), os.system("exit 3") >> 8)
print(subprocess.getstatusoutput("echo text; exit 5"))
print(run(["setsid", "sh", "-c", "echo own session"], capture_output=True).stdout)
