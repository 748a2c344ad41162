"""Runs a command as a shell does: a job of its own in the foreground of a real pseudo-terminal, which somebody types at.

Arguments: the folder to run in; a JSON list of [wait for this text, then type this]; the command. A command that stops is
brought back to the foreground. Prints JSON: the screen, how the command ended, whether the terminal echoed at that time
and each time that it stopped, and what of the typing nobody had read at the end.
"""

import fcntl, json, os, pty, select, signal, struct, sys, termios, time

folder, steps, command = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
report, tell = os.pipe()


def usual():
    modes = termios.tcgetattr(0)[3]
    return all(modes & mode for mode in (termios.ECHO, termios.ICANON, termios.ISIG))


def shell():
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.chdir(folder)
        os.close(tell)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SEALWIRE_")}
        os.execve(command[0], command, clean | {"SEALWIRE_DATA": folder + "/data"})
    stops = []
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        stops.append(usual())
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)
    unread = struct.unpack("i", fcntl.ioctl(0, termios.FIONREAD, b"\0" * 4))[0]
    ended = {"code": os.waitstatus_to_exitcode(status), "usual": usual(), "stops": stops, "unread": unread}
    os.write(tell, json.dumps(ended).encode())


child, terminal = pty.fork()
if child == 0:
    try:
        shell()
    finally:
        os._exit(0)
os.close(tell)
screen, seen, deadline = b"", 0, time.monotonic() + 60
while True:
    while steps and (at := screen.find(steps[0][0].encode(), seen)) >= 0:
        seen = at + len(steps[0][0].encode())
        os.write(terminal, steps.pop(0)[1].encode())
    ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
    if not ready:
        os.kill(child, signal.SIGKILL)
        sys.exit(f"nothing more happened, and {steps} are left: {screen!r}")
    try:
        read = os.read(terminal, 65536)
    except OSError:
        break
    if not read:
        break
    screen += read
told = os.read(report, 65536)
os.waitpid(child, 0)
print(json.dumps(json.loads(told) | {"screen": screen.decode(), "left": steps}))
