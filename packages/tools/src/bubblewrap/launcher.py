"""Starts sandboxes for one backend: a small process forks in a tenth of the time that a large one needs.

Each connection to its socket is one sandbox: u32 length (big endian) and a JSON request, after which the connection
itself becomes the sandbox's stdin and stdout. On its own stdin it takes JSON lines that end a sandbox, on stdout it says
how each ended. When its stdin ends, so does it, and with it every sandbox.
"""

import json
import os
import resource
import select
import signal
import socket
import sys

LOG_BYTES = 2000
WATCH_SECONDS = 0.1
PAGE = resource.getpagesize()
SECCOMP_FD = 3


class Launcher:
    def __init__(self, path):
        self.poll = select.epoll()
        self.readers = {}
        self.running = {}
        self.cancelled = set()
        self.watched = {}
        self.commands = b""
        os.umask(0o077)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(path)
        self.server.listen(128)
        os.umask(0o022)
        wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A Ctrl-C in a terminal is for the program that asked for the sandboxes.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.watch(self.server.fileno(), self.on_connection)
        self.watch(0, self.on_command)
        self.watch(wake, lambda: self.on_child(wake))
        self.say({"listening": True})

    def watch(self, fd, handler):
        self.readers[fd] = handler
        self.poll.register(fd, select.EPOLLIN)

    def unwatch(self, fd):
        del self.readers[fd]
        self.poll.unregister(fd)

    def run(self):
        while True:
            for fd, _ in self.poll.poll(WATCH_SECONDS if self.watched else None):
                handler = self.readers.get(fd)
                if handler is not None:
                    handler()
            for pid, limits in list(self.watched.items()):
                over = exceeded(pid, limits)
                if over:
                    self.running[pid][2] = over.encode()
                    os.kill(pid, signal.SIGKILL)

    def say(self, event):
        os.write(1, json.dumps(event).encode() + b"\n")

    def on_connection(self):
        connection, _ = self.server.accept()
        connection.settimeout(10)
        try:
            request = json.loads(exactly(connection, int.from_bytes(exactly(connection, 4), "big")))
            ident = str(request["id"])
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            return
        connection.settimeout(None)
        if ident in self.cancelled:
            self.cancelled.discard(ident)
            self.say({"id": ident, "ended": "closed"})
        else:
            log, ours = os.pipe2(os.O_CLOEXEC)
            pid = os.fork()
            if pid == 0:
                become(request, connection.fileno(), ours)
            os.close(ours)
            os.set_blocking(log, False)
            self.running[pid] = [ident, log, b""]
            if request.get("watch"):
                self.watched[pid] = request["watch"]
            self.watch(log, lambda: self.on_log(pid))
        connection.close()

    def on_log(self, pid):
        entry = self.running[pid]
        try:
            piece = os.read(entry[1], 65536)
        except BlockingIOError:
            return False
        if piece:
            entry[2] = (entry[2] + piece)[:LOG_BYTES]
            return True
        self.unwatch(entry[1])
        os.close(entry[1])
        entry[1] = None
        return False

    def on_command(self):
        piece = os.read(0, 65536)
        if not piece:
            os._exit(0)
        *lines, self.commands = (self.commands + piece).split(b"\n")
        for line in lines:
            ident = json.loads(line)["kill"]
            for pid, entry in self.running.items():
                if entry[0] == ident:
                    os.kill(pid, signal.SIGKILL)
                    break
            else:
                self.cancelled.add(ident)

    def on_child(self, wake):
        try:
            os.read(wake, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            entry = self.running[pid]
            while entry[1] is not None and self.on_log(pid):
                pass
            if entry[1] is not None:
                self.unwatch(entry[1])
                os.close(entry[1])
            del self.running[pid]
            self.watched.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            text = entry[2].decode("utf-8", "replace").strip()[:500]
            self.say({"id": entry[0], "ended": text or "ended with " + (str(code) if code >= 0 else "signal " + str(-code))})


def exceeded(root, limits):
    """Which limit the tree below a process is over: looked at from time to time, for hosts without control groups."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat") as file:
                    parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                pass
    tree, last = {root}, 0
    while len(tree) != last:
        last = len(tree)
        tree.update(pid for pid, parent in parents.items() if parent in tree)
    if len(tree) > limits["processes"]:
        return "over its limit of processes"
    resident = 0
    for pid in tree:
        try:
            with open("/proc/" + str(pid) + "/statm") as file:
                pages = file.read().split()
                # Without files and shared memory, which the size of the file systems holds.
                resident += (int(pages[1]) - int(pages[2])) * PAGE
        except (OSError, IndexError):
            pass
    return "over its limit of memory" if resident > limits["memoryBytes"] else ""


def exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("ended")
        data += piece
    return data


def become(request, connection, log):
    """In the child: joins its groups, gives up its rights, and executes."""
    try:
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
            signal.signal(each, signal.SIG_DFL)
        os.dup2(log, 2)
        os.dup2(connection, 0)
        os.dup2(connection, 1)
        if request["filter"]:
            memory = os.memfd_create("filter")
            os.write(memory, bytes.fromhex(request["filter"]))
            os.lseek(memory, 0, os.SEEK_SET)
            os.dup2(memory, SECCOMP_FD)
        os.closerange(SECCOMP_FD + 1 if request["filter"] else SECCOMP_FD, 4096)
        for path in request["groups"]:
            with open(path, "w") as file:
                file.write("0")
        for name, value in request["rlimits"].items():
            soft, hard = resource.getrlimit(getattr(resource, name))
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(getattr(resource, name), (value, value))
        if request["user"]:
            os.setgroups([])
            os.setresgid(*[request["user"]] * 3)
            os.setresuid(*[request["user"]] * 3)
        os.chdir("/")
        os.execve(request["command"][0], request["command"], request["environment"])
    except BaseException as error:
        os.write(2, (type(error).__name__ + ": " + str(error)).encode())
    finally:
        os._exit(127)


Launcher(sys.argv[1]).run()
