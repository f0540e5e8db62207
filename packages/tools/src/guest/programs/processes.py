"""Programs and their streams."""


class Program:
    """One program with its three streams, or a terminal."""

    def __init__(self, guest, ident, call):
        self.guest = guest
        self.ident = ident
        self.credit = {OUT: WINDOW, ERR: WINDOW}
        self.limit = {OUT: call.get("limit"), ERR: call.get("limit")}
        self.dropped = {OUT: 0, ERR: 0}
        self.pending = bytearray()
        self.ending = False
        self.status = None
        self.open = {}
        self.terminal = None
        command = call["command"]
        environment = dict(guest.environment, **call.get("environment", {}))
        folder = resolve(guest, call.get("cwd") or ".") if call.get("cwd") else guest.workspace
        if call.get("pty"):
            self.terminal, inner = os.openpty()
            resize_terminal(self.terminal, call["pty"])
            ends = (inner, inner, inner)
            self.input = self.terminal
            mine = {OUT: os.dup(self.terminal)}
        else:
            in_read, self.input = os.pipe2(os.O_CLOEXEC)
            out_read, out_write = os.pipe2(os.O_CLOEXEC)
            err_read, err_write = os.pipe2(os.O_CLOEXEC)
            ends = (in_read, out_write, err_write)
            mine = {OUT: out_read, ERR: err_read}
        try:
            self.pid = start(command, environment, folder, ends, terminal=self.terminal is not None)
        except Exception:
            for fd in set(list(mine.values()) + list(ends) + [self.input]):
                os.close(fd)
            raise
        for fd in set(ends):
            os.close(fd)
        os.set_blocking(self.input, False)
        guest.children[self.pid] = self.on_exit
        guest.tasks[ident] = self
        for channel, fd in mine.items():
            os.set_blocking(fd, False)
            self.open[channel] = fd
            guest.watch(fd, lambda channel=channel: self.on_output(channel))

    def on_output(self, channel):
        fd = self.open[channel]
        credit = self.credit[channel]
        limit = self.limit[channel]
        if credit <= 0 and (limit is None or limit > 0):
            self.guest.unwatch(fd)
            return
        try:
            data = os.read(fd, CHUNK if limit is not None and limit <= 0 else min(CHUNK, credit))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close(channel)
            return
        if limit is not None:
            kept = data[: max(0, limit)]
            self.dropped[channel] += len(data) - len(kept)
            self.limit[channel] = limit - len(kept)
            data = kept
        if data:
            self.credit[channel] -= len(data)
            self.guest.send(DATA, self.ident, bytes((channel,)) + data)

    def close(self, channel):
        fd = self.open.pop(channel)
        self.guest.unwatch(fd)
        os.close(fd)
        self.guest.send(END, self.ident, bytes((channel,)))
        self.finish()

    def on_credit(self, channel, count):
        if channel not in self.credit:
            return
        self.credit[channel] += count
        fd = self.open.get(channel)
        if fd is not None and fd not in self.guest.readers:
            self.guest.watch(fd, lambda: self.on_output(channel))

    def on_data(self, data):
        self.pending += data
        self.flush()

    def on_end(self):
        self.ending = True
        self.flush()

    def flush(self):
        if self.input is None:
            self.grant(len(self.pending))
            self.pending.clear()
            return
        try:
            while self.pending:
                sent = os.write(self.input, self.pending[:CHUNK])
                del self.pending[:sent]
                self.grant(sent)
        except BlockingIOError:
            if self.input not in self.guest.readers:
                self.guest.watch(self.input, self.flush, select.EPOLLOUT)
            return
        except OSError:
            self.grant(len(self.pending))
            self.pending.clear()
            self.ending = True
        if self.input in self.guest.readers:
            self.guest.unwatch(self.input)
        if self.ending:
            self.close_input()

    def close_input(self):
        if self.input is None:
            return
        if self.input in self.guest.readers:
            self.guest.unwatch(self.input)
        if self.terminal is not None:
            try:
                os.write(self.input, b"\x04")
            except OSError:
                pass
        os.close(self.input)
        self.input = None

    def grant(self, count):
        if count:
            self.guest.send(CREDIT, self.ident, bytes((IN,)) + count.to_bytes(4, "big"))

    def on_exit(self, status):
        self.status = status
        self.pid = None
        self.close_input()
        # A daemon may hold the pipes open for ever: take what is there and let go.
        for channel in list(self.open):
            self.drain(channel)
        self.guest.send_json(EVENT, self.ident, {"exited": wait_status(status)})
        self.finish()

    def drain(self, channel):
        while channel in self.open and (self.credit[channel] > 0 or (self.limit[channel] or 1) <= 0):
            before = self.credit[channel], self.dropped[channel]
            self.on_output(channel)
            if channel in self.open and before == (self.credit[channel], self.dropped[channel]):
                return

    def finish(self):
        if self.status is None or self.open:
            return
        result = wait_status(self.status)
        result["dropped"] = self.dropped[OUT] + self.dropped[ERR]
        self.guest.tasks.pop(self.ident, None)
        self.guest.send_json(RESULT, self.ident, result)

    def release(self):
        """After the program's end: stop waiting for whoever still holds its pipes."""
        for channel in list(self.open):
            self.close(channel)

    def cancel(self):
        if self.pid is not None:
            kill_tree(self.pid, signal.SIGKILL)
        else:
            self.release()


def start(command, environment, folder, ends, terminal=False, keep=()):
    """Forks and executes; an error of `execve` comes back as a typed error."""
    if not command or not all(isinstance(word, str) for word in command):
        raise Refused("TOOLS_INVALID", "A command is a list of words, the program first.")
    error_read, error_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fresh_signals()
            prefer_for_memory_killer()
            for target, fd in enumerate(ends):
                os.dup2(fd, target, inheritable=True)
            if terminal:
                import fcntl
                import termios

                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            for fd in keep:
                os.set_inheritable(fd, True)
            only(error_write, *keep)
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        except BaseException as error:
            number = getattr(error, "errno", None) or 0
            text = str(number) + " " + str(error)
            os.write(error_write, text.encode("utf-8", "replace")[:400])
        finally:
            os._exit(127)
    os.close(error_write)
    trouble = b""
    while True:
        piece = os.read(error_read, 4096)
        if not piece:
            break
        trouble += piece
    os.close(error_read)
    if trouble:
        os.waitpid(pid, 0)
        number, _, text = trouble.decode("utf-8", "replace").partition(" ")
        if number in (str(errno.ENOENT), str(errno.EACCES), str(errno.ENOEXEC), str(errno.ENOTDIR)):
            raise Refused(
                "TOOLS_PROGRAM_MISSING",
                "The sandbox cannot start " + command[0][:200] + ": " + os.strerror(int(number)) + ".",
            )
        raise Refused("TOOLS_INVALID", "The command could not be started: " + text[:200])
    return pid


def parents():
    table = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/" + name + "/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                table[int(name)] = (int(fields[1]), int(fields[3]))
            except (OSError, IndexError, ValueError):
                pass
    return table


def kill_tree(root, number):
    """The program, its session, and every descendant that is still below it."""
    table = parents()
    doomed = {root}
    grown = True
    while grown:
        grown = False
        for pid, (parent, session) in table.items():
            if pid not in doomed and pid != os.getpid() and (parent in doomed or session in doomed):
                doomed.add(pid)
                grown = True
    for pid in doomed:
        try:
            os.kill(pid, number)
        except OSError:
            pass


def resize_terminal(fd, size):
    import fcntl
    import termios

    rows, columns = int(size["rows"]), int(size["columns"])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, rows.to_bytes(2, "little") + columns.to_bytes(2, "little") + bytes(4))


def spawn(guest, ident, call):
    program = Program(guest, ident, call)
    guest.send_json(EVENT, ident, {"started": program.pid})
    if "stdin" in call:
        program.on_data(call["stdin"].encode("utf-8", "surrogateescape"))
    if call.get("stdinEnd"):
        program.on_end()
    return PENDING


def signal_task(guest, ident, call):
    task = guest.tasks.get(call["task"])
    if isinstance(task, Program):
        if task.pid is not None:
            number = getattr(signal, call["signal"])
            if number == signal.SIGKILL:
                kill_tree(task.pid, number)
            else:
                try:
                    os.killpg(task.pid, number)
                except OSError:
                    pass
        elif call.get("release"):
            task.release()
    return {}


def resize(guest, ident, call):
    task = guest.tasks.get(call["task"])
    if isinstance(task, Program) and task.terminal is not None and task.input is not None:
        resize_terminal(task.input, call["size"])
    return {}


class Connection:
    """A stream to a server inside, or from a program inside to the way out."""

    def __init__(self, guest, ident, sock):
        self.guest = guest
        self.ident = ident
        self.sock = sock
        self.credit = WINDOW
        self.pending = bytearray()
        self.ending = False
        self.reading = True
        sock.setblocking(False)
        guest.tasks[ident] = self
        guest.watch(sock.fileno(), self.on_ready)

    def on_ready(self):
        if self.pending:
            self.flush()
        if self.reading and self.credit > 0:
            try:
                data = self.sock.recv(min(CHUNK, self.credit))
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data:
                self.credit -= len(data)
                self.guest.send(DATA, self.ident, bytes((OUT,)) + data)
            elif data == b"":
                self.reading = False
                self.guest.send(END, self.ident, bytes((OUT,)))
        self.attend()

    def attend(self):
        wanted = (select.EPOLLIN if self.reading and self.credit > 0 else 0) | (select.EPOLLOUT if self.pending else 0)
        if not self.reading and self.ending and not self.pending:
            self.cancel()
            return
        fd = self.sock.fileno()
        self.guest.unwatch(fd)
        if wanted:
            self.guest.watch(fd, self.on_ready, wanted)

    def flush(self):
        try:
            while self.pending:
                sent = self.sock.send(self.pending[:CHUNK])
                del self.pending[:sent]
                self.guest.send(CREDIT, self.ident, bytes((IN,)) + sent.to_bytes(4, "big"))
            if self.ending:
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self.pending.clear()
            self.ending = True
            if self.reading:
                self.reading = False
                self.guest.send(END, self.ident, bytes((OUT,)))

    def on_data(self, data):
        self.pending += data
        self.flush()
        self.attend()

    def on_end(self):
        self.ending = True
        self.flush()
        self.attend()

    def on_credit(self, channel, count):
        self.credit += count
        self.attend()

    def cancel(self):
        if self.guest.tasks.pop(self.ident, None) is not None:
            self.guest.unwatch(self.sock.fileno())
            self.sock.close()
            self.guest.send_json(RESULT, self.ident, {})


def connect(guest, ident, call):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(5)
        sock.connect(("127.0.0.1", int(call["port"])))
    except OSError as error:
        sock.close()
        raise Refused("TOOLS_INVALID", "Nothing listens on port " + str(call["port"]) + " inside: " + str(error))
    guest.send_json(EVENT, ident, {"started": 0})
    Connection(guest, ident, sock)
    return PENDING


class Forwarder:
    """Carries one connection from 127.0.0.1 inside to the Unix socket of the way out."""

    def __init__(self, guest, inner, outer):
        self.guest = guest
        self.pairs = {inner.fileno(): (inner, outer), outer.fileno(): (outer, inner)}
        self.buffers = {inner.fileno(): bytearray(), outer.fileno(): bytearray()}
        self.ended = set()
        for fd, (sock, _) in self.pairs.items():
            sock.setblocking(False)
            guest.watch(fd, lambda fd=fd: self.on_ready(fd))

    def on_ready(self, fd):
        source, target = self.pairs[fd]
        buffer = self.buffers[target.fileno()]
        if len(buffer) < WINDOW and fd not in self.ended:
            try:
                data = source.recv(CHUNK)
            except BlockingIOError:
                data = None
            except OSError:
                data = b""
            if data:
                buffer += data
            elif data == b"":
                self.ended.add(fd)
        for each in (fd, target.fileno()):
            self.flush(each)
        self.attend()

    def flush(self, fd):
        sock, other = self.pairs[fd]
        buffer = self.buffers[fd]
        try:
            while buffer:
                sent = sock.send(buffer[:CHUNK])
                del buffer[:sent]
            if other.fileno() in self.ended and ("shut", fd) not in self.ended:
                self.ended.add(("shut", fd))
                sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            buffer.clear()
            self.ended.update(self.pairs)

    def attend(self):
        done = all(fd in self.ended for fd in self.pairs) and not any(self.buffers.values())
        for fd, (sock, other) in list(self.pairs.items()):
            self.guest.unwatch(fd)
            if done:
                continue
            wanted = 0
            if fd not in self.ended and len(self.buffers[other.fileno()]) < WINDOW:
                wanted |= select.EPOLLIN
            if self.buffers[fd]:
                wanted |= select.EPOLLOUT
            if wanted:
                self.guest.watch(fd, lambda fd=fd: self.on_ready(fd), wanted)
        if done:
            for sock, _ in list(self.pairs.values()):
                sock.close()


def start_forward(guest, port, path):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(128)
    listener.setblocking(False)

    def accept():
        try:
            fd, _ = listener._accept()
        except OSError:
            return
        inner = socket.socket(fileno=fd)
        outer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            outer.connect(path)
        except OSError:
            inner.close()
            outer.close()
            return
        Forwarder(guest, inner, outer)

    guest.forward = listener
    guest.watch(listener.fileno(), accept)


OPERATIONS.update(spawn=spawn, signal=signal_task, resize=resize, connect=connect)
