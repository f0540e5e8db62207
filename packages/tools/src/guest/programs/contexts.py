"""Contexts: one kernel process each, which holds the variables between runs.

A kernel has a private socket for code and results, and pipes for what the code prints. Frames of that socket:
u32 length · u8 kind · JSON, kind R (run, to the kernel), D (a result), Z (the end of a run).
"""

KERNEL_MAX = 24 * 1024 * 1024


class Context:
    def __init__(self, guest, ident, language, folder):
        self.guest = guest
        self.ident = ident
        self.language = language
        self.run = None
        self.buffer = bytearray()
        self.sending = bytearray()
        mine, theirs = socket.socketpair()
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        err_read, err_write = os.pipe2(os.O_CLOEXEC)
        null = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends = (null, out_write, err_write)
        try:
            kernel = guest.kernels.get(language)
            if kernel is None:
                raise Refused("TOOLS_LANGUAGE_MISSING", "There is no " + language + " in this sandbox.")
            if kernel.get("command"):
                command = [str(theirs.fileno()) if word == "{fd}" else word for word in kernel["command"]]
                self.pid = start(command, guest.environment, folder, ends, keep=(theirs.fileno(),))
            else:
                self.pid = fork_kernel(guest, theirs.fileno(), ends, folder)
        except BaseException:
            for fd in (out_read, err_read):
                os.close(fd)
            mine.close()
            raise
        finally:
            for fd in ends:
                os.close(fd)
            theirs.close()
        mine.setblocking(False)
        self.socket = mine
        self.fd = mine.fileno()
        self.streams = {OUT: out_read, ERR: err_read}
        guest.children[self.pid] = self.on_exit
        guest.watch(self.fd, self.on_ready)
        for channel, fd in self.streams.items():
            os.set_blocking(fd, False)
            guest.watch(fd, lambda channel=channel: self.on_output(channel))

    def on_output(self, channel):
        fd = self.streams.get(channel)
        if fd is None:
            return False
        run = self.run
        if run is not None and run.credit[channel] <= 0 and run.limit[channel] > 0:
            self.guest.unwatch(fd)
            return False
        try:
            size = CHUNK if run is None or run.limit[channel] <= 0 else min(CHUNK, run.credit[channel])
            data = os.read(fd, size)
        except BlockingIOError:
            return False
        if not data:
            self.guest.unwatch(fd)
            os.close(fd)
            del self.streams[channel]
            return False
        if run is not None:
            kept = data[: max(0, run.limit[channel])]
            run.dropped += len(data) - len(kept)
            run.limit[channel] -= len(kept)
            if kept:
                run.credit[channel] -= len(kept)
                self.guest.send(DATA, run.ident, bytes((channel,)) + kept)
        return True

    def on_ready(self):
        if self.sending:
            self.flush()
        try:
            data = self.socket.recv(WINDOW)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.die()
            return
        self.buffer += data
        while len(self.buffer) >= 5:
            length = int.from_bytes(self.buffer[:4], "big")
            if length > KERNEL_MAX or length < 1:
                self.die()
                return
            if len(self.buffer) < 4 + length:
                return
            kind = self.buffer[4:5]
            payload = bytes(self.buffer[5 : 4 + length])
            del self.buffer[: 4 + length]
            self.on_frame(kind, payload)

    def on_frame(self, kind, payload):
        run = self.run
        if run is None:
            return
        if kind == b"D":
            self.guest.send(EVENT, run.ident, payload)
        elif kind == b"Z":
            # What was printed before the end is already in the pipes.
            for channel in (OUT, ERR):
                for _ in range(64):
                    if not self.on_output(channel):
                        break
            self.run = None
            self.guest.tasks.pop(run.ident, None)
            for channel, fd in self.streams.items():
                if fd not in self.guest.readers:
                    self.guest.watch(fd, lambda channel=channel: self.on_output(channel))
            self.guest.send(EVENT, run.ident, b'{"dropped":' + str(run.dropped).encode() + b"}")
            self.guest.send(RESULT, run.ident, payload)

    def execute(self, run, code):
        self.run = run
        body = b"R" + dumps({"code": code}).encode("ascii")
        self.sending += len(body).to_bytes(4, "big") + body
        self.flush()

    def flush(self):
        try:
            while self.sending:
                sent = self.socket.send(self.sending[:CHUNK])
                del self.sending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            return
        self.guest.unwatch(self.fd)
        self.guest.watch(self.fd, self.on_ready, select.EPOLLIN | (select.EPOLLOUT if self.sending else 0))

    def on_exit(self, status):
        self.pid = None
        self.status = status
        self.die(status)

    def die(self, status=None):
        if self.guest.contexts.get(self.ident) is self:
            del self.guest.contexts[self.ident]
        if self.fd is not None:
            self.guest.unwatch(self.fd)
            self.socket.close()
            self.fd = None
        if self.pid is not None:
            kill_tree(self.pid, signal.SIGKILL)
            return
        run, self.run = self.run, None
        if run is not None:
            self.run = run
            for channel in (OUT, ERR):
                for _ in range(64):
                    if not self.on_output(channel):
                        break
            self.run = None
            self.guest.tasks.pop(run.ident, None)
            ended = wait_status(status if status is not None else self.status)
            self.guest.send_json(RESULT, run.ident, {"died": ended})
        for fd in self.streams.values():
            self.guest.unwatch(fd)
            os.close(fd)
        self.streams = {}


class Run:
    def __init__(self, context, ident, limit):
        self.context = context
        self.ident = ident
        self.credit = {OUT: WINDOW, ERR: WINDOW}
        self.limit = {OUT: limit, ERR: limit}
        self.dropped = 0

    def on_credit(self, channel, count):
        if channel not in self.credit:
            return
        self.credit[channel] += count
        fd = self.context.streams.get(channel)
        if fd is not None and fd not in self.context.guest.readers:
            self.context.guest.watch(fd, lambda: self.context.on_output(channel))

    def on_data(self, data):
        pass

    def on_end(self):
        pass

    def cancel(self):
        interrupt_context(self.context)


def interrupt_context(context):
    if context.pid is not None and context.run is not None:
        try:
            os.killpg(context.pid, signal.SIGINT)
        except OSError:
            pass


def context_of(guest, call):
    context = guest.contexts.get(call["context"])
    if context is None:
        folder = resolve(guest, call.get("cwd") or ".")
        context = Context(guest, call["context"], call["language"], folder)
        guest.contexts[call["context"]] = context
    return context


def run_code(guest, ident, call):
    context = context_of(guest, call)
    run = Run(context, ident, call["limit"])
    guest.tasks[ident] = run
    context.execute(run, call["code"])
    return PENDING


def context_open(guest, ident, call):
    context_of(guest, call)
    return {}


def context_close(guest, ident, call):
    context = guest.contexts.get(call["context"])
    if context is not None:
        context.die()
    return {}


def interrupt(guest, ident, call):
    for context in list(guest.contexts.values()):
        if call.get("context") in (None, context.ident):
            interrupt_context(context)
    return {}


OPERATIONS.update(
    {"run": run_code, "context.open": context_open, "context.close": context_close, "interrupt": interrupt}
)
