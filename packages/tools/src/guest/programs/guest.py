"""The guest: runs inside a sandbox, starts programs and kernels there and does the file work.

It speaks to the host over the descriptors it was started with as stdin and stdout, in frames:

    u32 length of the rest (big endian) · u8 type · u32 id · payload

Types: CALL, RESULT, ERROR, EVENT (JSON), DATA (u8 channel, bytes), END (u8 channel), CREDIT (u8 channel, u32 bytes),
CANCEL. A side sends DATA only as far as the other has granted CREDIT; each channel starts with WINDOW bytes. Only
modules that are compiled into the interpreter are imported at the start: it is ready in the time the interpreter
itself needs.
"""

import builtins
import errno
import os
import select
import sys
import time

import _signal as signal
import _socket as socket

CALL, RESULT, ERROR, EVENT, DATA, END, CREDIT, CANCEL = range(8)
IN, OUT, ERR = range(3)
WINDOW = 1024 * 1024
CHUNK = 64 * 1024
READ = 256 * 1024
MAX_FRAME = 32 * 1024 * 1024


def make_json():
    """The C parts of `json` without its imports, which cost as much as the rest of the start; else `json` itself."""
    try:
        import _json

        class Shape:
            strict = False
            object_hook = object_pairs_hook = None
            parse_float = float
            parse_int = int
            parse_constant = float
            memo = {}

        scan = _json.make_scanner(Shape())
        ascii_string = _json.encode_basestring_ascii

        def refuse(value):
            raise TypeError("not JSON: " + type(value).__name__)

        encode = _json.make_encoder(None, refuse, ascii_string, None, ":", ",", False, False, True)

        def loads(text):
            return scan(text, 0)[0]

        def dumps(value):
            return "".join(encode(value, 0))

        if loads(dumps({"a": [1, "\u2028", None, True, 1.5]})) == {"a": [1, "\u2028", None, True, 1.5]}:
            return loads, dumps
    except Exception:
        pass
    import json

    return json.loads, json.dumps


loads, dumps = make_json()


class Refused(Exception):
    """Becomes a typed error on the host."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def write_all(fd, data):
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            select.select([], [fd], [])


def frame_of(kind, ident, payload):
    return (5 + len(payload)).to_bytes(4, "big") + bytes((kind,)) + ident.to_bytes(4, "big") + payload


class Guest:
    def __init__(self, fd_in, fd_out):
        self.fd_in = fd_in
        self.fd_out = fd_out
        self.poll = select.epoll()
        self.readers = {}
        self.buffer = bytearray()
        self.tasks = {}
        self.children = {}
        self.contexts = {}
        self.workspace = "/workspace"
        self.roots = ["/workspace", "/tmp"]
        self.environment = {}
        self.kernels = {}
        self.forward = None
        wake_out, wake_in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.watch(fd_in, self.on_input)
        self.watch(wake_out, lambda: self.on_child(wake_out))

    # Sending

    def send(self, kind, ident, payload=b""):
        write_all(self.fd_out, frame_of(kind, ident, payload))

    def send_json(self, kind, ident, value):
        self.send(kind, ident, dumps(value).encode("ascii"))

    def fail(self, ident, error):
        if isinstance(error, Refused):
            code, message = error.code, str(error)
        elif isinstance(error, FileNotFoundError):
            code, message = "TOOLS_FILE_NOT_FOUND", "There is no " + str(error.filename) + "."
        elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            code, message = "TOOLS_LIMIT_EXCEEDED", "The sandbox's disk is full: remove files or raise diskMiB."
        elif isinstance(error, OSError):
            code, message = "TOOLS_FILE_REFUSED", (error.strerror or "refused") + ": " + str(error.filename or "")
        else:
            code, message = "TOOLS_BACKEND_FAILED", type(error).__name__ + ": " + str(error)[:500]
        self.send_json(ERROR, ident, {"code": code, "message": message})

    # Loop

    def watch(self, fd, handler, events=select.EPOLLIN):
        self.readers[fd] = handler
        self.poll.register(fd, events)

    def unwatch(self, fd):
        if self.readers.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def run(self):
        while True:
            for fd, _ in self.poll.poll():
                handler = self.readers.get(fd)
                if handler is not None:
                    handler()

    def on_input(self):
        data = os.read(self.fd_in, READ)
        if not data:
            for pid in list(self.children):
                kill_tree(pid, signal.SIGKILL)
            os._exit(0)
        self.buffer += data
        buffer = self.buffer
        start = 0
        while len(buffer) - start >= 9:
            length = int.from_bytes(buffer[start : start + 4], "big")
            if length > MAX_FRAME:
                os._exit(3)
            if len(buffer) - start < 4 + length:
                break
            kind = buffer[start + 4]
            ident = int.from_bytes(buffer[start + 5 : start + 9], "big")
            with memoryview(buffer) as view:
                payload = bytes(view[start + 9 : start + 4 + length])
            start += 4 + length
            self.on_frame(kind, ident, payload)
        del buffer[:start]

    def on_frame(self, kind, ident, payload):
        if kind == CALL:
            try:
                call = loads(payload.decode("utf-8"))
                self.on_call(ident, call)
            except Exception as error:
                self.fail(ident, error)
            return
        task = self.tasks.get(ident)
        if task is None:
            return
        if kind == DATA:
            task.on_data(memoryview(payload)[1:])
        elif kind == END:
            task.on_end()
        elif kind == CREDIT:
            task.on_credit(payload[0], int.from_bytes(payload[1:5], "big"))
        elif kind == CANCEL:
            task.cancel()

    def on_call(self, ident, call):
        operation = OPERATIONS.get(call["op"])
        if operation is None:
            raise Refused("TOOLS_UNSUPPORTED", "The guest knows no " + str(call["op"])[:60] + ".")
        result = operation(self, ident, call)
        if result is not PENDING:
            self.send_json(RESULT, ident, result)

    def on_child(self, fd):
        try:
            os.read(fd, 4096)
        except BlockingIOError:
            pass
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self.children.pop(pid, None)
            if ended is not None:
                ended(status)


PENDING = object()


def private_descriptors():
    """Moves the channel away from 0 and 1 and closes whatever else the host let through."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 16)
    null = os.open("/dev/null", os.O_RDWR)
    fd_in, fd_out = os.dup(0), os.dup(1)
    for fd in (fd_in, fd_out):
        os.set_inheritable(fd, False)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    return fd_in, fd_out


def only(*keep):
    """Closes every descriptor above 2 but these."""
    start = 3
    for fd in sorted(keep):
        if fd > start:
            os.closerange(start, fd)
        start = fd + 1
    os.closerange(start, 4096)


def fresh_signals():
    signal.set_wakeup_fd(-1)
    for each in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT):
        signal.signal(each, signal.SIG_DFL)


def prefer_for_memory_killer():
    """When memory runs out, the kernel ends programs before the guest."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"500")
        os.close(fd)
    except OSError:
        pass


def wait_status(status):
    if os.WIFSIGNALED(status):
        return {"signal": SIGNALS.get(os.WTERMSIG(status), str(os.WTERMSIG(status)))}
    return {"code": os.WEXITSTATUS(status)}


SIGNALS = {
    getattr(signal, name): name
    for name in dir(signal)
    if name.startswith("SIG") and not name.startswith("SIG_") and isinstance(getattr(signal, name), int)
}


def take_filter(program):
    """Gives up system calls, for this process and all that it starts (seccomp(2), classic BPF)."""
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    if libc.prctl(set_seccomp, mode_filter, ctypes.byref(Program(len(program) // 8, program)), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "The system call filter was refused")


def init(guest, ident, call):
    if call["filter"]:
        take_filter(bytes.fromhex(call["filter"]))
    guest.workspace = call["workspace"]
    guest.roots = [os.path.realpath(root) for root in call["roots"]]
    guest.environment = dict(os.environ, **call["environment"])
    os.environ.update(call["environment"])
    guest.kernels = call["kernels"]
    os.chdir(guest.workspace)
    for name in call["preload"]:
        site.run()
        try:
            __import__(name)
        except ImportError as error:
            raise Refused("TOOLS_INVALID", "The module " + name[:100] + " cannot be preloaded: " + str(error)[:200])
    if call.get("forward"):
        start_forward(guest, call["forward"]["port"], call["forward"]["socket"])
    return {"python": list(sys.version_info[:3]), "executable": sys.executable, "pid": os.getpid()}


def compile_guest(guest, ident, call):
    import binascii
    import marshal

    code = marshal.dumps(compile(call["source"], "<guest>", "exec"))
    return {"code": binascii.b2a_base64(code, newline=False).decode("ascii")}


OPERATIONS = {"init": init, "compile": compile_guest}
