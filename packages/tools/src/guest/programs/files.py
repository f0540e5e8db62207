"""File work, done with the rights of the sandbox and on its own view of files."""

NAME_MAX = 4096
ENTRIES_MAX = 100000


def resolve(guest, path, parent_only=False):
    """The real path, links followed, inside one of the roots."""
    if not isinstance(path, str) or "\0" in path or len(path) > NAME_MAX:
        raise Refused("TOOLS_INVALID", "A path is a string of at most 4,096 characters without NUL.")
    full = os.path.join(guest.roots[0], path)
    if parent_only:
        name = os.path.basename(os.path.normpath(full))
        real = os.path.join(os.path.realpath(os.path.dirname(os.path.normpath(full))), name)
    else:
        real = os.path.realpath(full)
    for root in guest.roots:
        if real == root or real.startswith(root + "/"):
            return real
    raise Refused("TOOLS_PATH_OUTSIDE", path[:200] + " leads outside of " + " and ".join(guest.roots) + ".")


def shown(guest, path):
    root = guest.roots[0]
    if path == root:
        return "."
    return path[len(root) + 1 :] if path.startswith(root + "/") else path


def open_regular(path, flags=os.O_RDONLY):
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(fd).st_mode & 0o170000
    if mode != 0o100000:
        os.close(fd)
        kind = {0o040000: "a folder", 0o010000: "a pipe", 0o140000: "a socket"}.get(mode, "a device")
        raise Refused("TOOLS_FILE_REFUSED", "It is " + kind + ", not a regular file.")
    return fd


def entry(guest, path):
    status = os.lstat(path)
    kind = {0o100000: "file", 0o040000: "folder", 0o120000: "link"}.get(status.st_mode & 0o170000, "other")
    return {
        "path": shown(guest, path),
        "type": kind,
        "bytes": status.st_size,
        "modifiedAt": status.st_mtime_ns // 1000000,
    }


def job(function):
    """Runs `function(guest, call, fd_in, fd_out)` in a child, so that a slow one holds up nobody and can be killed."""

    def operation(guest, ident, call):
        Job(guest, ident, lambda fd_in, fd_out: function(guest, call, fd_in, fd_out))
        return PENDING

    return operation


def at_once(guest, path):
    """Whether file work may be done by the guest itself: in memory, where nothing waits. A folder of the host may."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return os.stat(path).st_dev in [os.stat(root).st_dev for root in guest.roots]


class Gathered:
    """Input that fits the window is taken in whole, and then written at once."""

    def __init__(self, guest, ident, call):
        self.guest = guest
        self.ident = ident
        self.call = call
        self.pieces = []
        guest.tasks[ident] = self

    def on_data(self, data):
        self.pieces.append(data)

    def on_end(self):
        del self.guest.tasks[self.ident]
        try:
            self.guest.send_json(RESULT, self.ident, write_file(self.guest, self.call, self.pieces))
        except Exception as error:
            self.guest.fail(self.ident, error)

    def on_credit(self, channel, count):
        pass

    def cancel(self):
        del self.guest.tasks[self.ident]
        self.guest.fail(self.ident, Refused("TOOLS_CANCELLED", "The call was cancelled."))


class Job(Program):
    def __init__(self, guest, ident, body):
        self.guest = guest
        self.ident = ident
        self.credit = {OUT: WINDOW, ERR: WINDOW}
        self.limit = {OUT: None, ERR: None}
        self.dropped = {OUT: 0, ERR: 0}
        self.pending = bytearray()
        self.ending = False
        self.status = None
        self.terminal = None
        self.answer = b""
        in_read, self.input = os.pipe2(os.O_CLOEXEC)
        out_read, out_write = os.pipe2(os.O_CLOEXEC)
        answer_read, answer_write = os.pipe2(os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setsid()
                fresh_signals()
                prefer_for_memory_killer()
                only(in_read, out_write, answer_write)
                try:
                    value = {"result": body(in_read, out_write)}
                except Refused as error:
                    value = {"code": error.code, "message": str(error)}
                except FileNotFoundError as error:
                    value = {"code": "TOOLS_FILE_NOT_FOUND", "message": "There is no " + str(error.filename) + "."}
                except OSError as error:
                    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                    value = {
                        "code": "TOOLS_LIMIT_EXCEEDED" if full else "TOOLS_FILE_REFUSED",
                        "message": "The sandbox's disk is full." if full else str(error)[:300],
                    }
                except Exception as error:
                    value = {"code": "TOOLS_BACKEND_FAILED", "message": type(error).__name__ + ": " + str(error)[:300]}
                write_all(answer_write, dumps(value).encode("ascii"))
            except BaseException:
                os._exit(1)
            finally:
                os._exit(0)
        for fd in (in_read, out_write, answer_write):
            os.close(fd)
        self.open = {OUT: out_read, ERR: answer_read}
        os.set_blocking(self.input, False)
        guest.children[self.pid] = self.on_exit
        guest.tasks[ident] = self
        for channel, fd in list(self.open.items()):
            os.set_blocking(fd, False)
            guest.watch(fd, lambda channel=channel: self.on_output(channel))

    def on_output(self, channel):
        if channel == OUT:
            Program.on_output(self, channel)
            return
        try:
            data = os.read(self.open[ERR], CHUNK)
        except BlockingIOError:
            return
        if data:
            self.answer += data
            return
        fd = self.open.pop(ERR)
        self.guest.unwatch(fd)
        os.close(fd)
        self.finish()

    def drain(self, channel):
        while channel in self.open and (channel == ERR or self.credit[channel] > 0):
            self.on_output(channel)

    def on_exit(self, status):
        self.status = status
        self.pid = None
        self.close_input()
        self.finish()

    def finish(self):
        if self.status is None or self.open:
            return
        self.guest.tasks.pop(self.ident, None)
        try:
            answer = loads(self.answer.decode("ascii"))
        except Exception:
            answer = {"code": "TOOLS_LIMIT_EXCEEDED", "message": "The file work was ended, most likely for memory."}
        if "code" in answer:
            self.guest.send_json(ERROR, self.ident, answer)
        else:
            self.guest.send_json(RESULT, self.ident, answer["result"])


def read_operation(guest, ident, call):
    path = resolve(guest, call["path"])
    if not at_once(guest, path) or os.stat(path).st_size > WINDOW:
        return job(file_read)(guest, ident, call)
    data = []
    read_file(guest, call, data.append)
    for piece in data:
        guest.send(DATA, ident, b"\1" + piece)
    return {"bytes": sum(map(len, data))}


def file_read(guest, call, fd_in, fd_out):
    return read_file(guest, call, lambda data: write_all(fd_out, data))


def read_file(guest, call, take):
    fd = open_regular(resolve(guest, call["path"]))
    size = os.fstat(fd).st_size
    offset = call.get("offset", 0)
    wanted = min(call.get("length", size), max(0, size - offset))
    if wanted > call["maxBytes"]:
        os.close(fd)
        raise Refused(
            "TOOLS_TOO_LARGE",
            call["path"][:200] + " has " + str(wanted) + " bytes, over the cap of " + str(call["maxBytes"]) + ".",
        )
    try:
        os.lseek(fd, offset, 0)
        sent = 0
        while sent < call["maxBytes"]:
            data = os.read(fd, min(READ, (wanted if "length" in call else call["maxBytes"]) - sent))
            if not data:
                break
            sent += len(data)
            take(data)
    finally:
        os.close(fd)
    return {"bytes": sent}


def temporary_beside(path):
    return os.path.join(os.path.dirname(path), ".ashlar-" + os.urandom(8).hex())


def write_operation(guest, ident, call):
    if call.get("bytes", WINDOW + 1) > WINDOW or not at_once(guest, resolve(guest, call["path"])):
        return job(file_write)(guest, ident, call)
    Gathered(guest, ident, call)
    return PENDING


def file_write(guest, call, fd_in, fd_out):
    return write_file(guest, call, iter(lambda: os.read(fd_in, CHUNK), b""))


def write_file(guest, call, pieces):
    path = resolve(guest, call["path"])
    if os.path.isdir(path):
        raise Refused("TOOLS_FILE_REFUSED", call["path"][:200] + " is a folder.")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = temporary_beside(path)
    total = 0
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        expected = call.get("bytes")
        for data in pieces:
            total += len(data)
            if total > call["maxBytes"]:
                raise Refused("TOOLS_TOO_LARGE", "The data is over the cap of " + str(call["maxBytes"]) + " bytes.")
            write_all(fd, data)
        if expected is not None and total != expected:
            raise Refused("TOOLS_CANCELLED", "The data ended early.")
        if os.path.exists(path):
            os.chmod(fd, os.stat(path).st_mode & 0o777)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    return {"bytes": total}


def file_edit(guest, call, fd_in, fd_out):
    path = resolve(guest, call["path"])
    fd = open_regular(path)
    if os.fstat(fd).st_size > call["maxBytes"]:
        raise Refused("TOOLS_TOO_LARGE", call["path"][:200] + " is too large to edit.")
    with os.fdopen(fd, "rb") as file:
        before = file.read()
        mode = os.fstat(file.fileno()).st_mode & 0o777
    find, replace = call["find"].encode("utf-8"), call["replace"].encode("utf-8")
    count = before.count(find) if find else 0
    if count == 0:
        raise Refused("TOOLS_INVALID", "The text to replace does not occur in " + call["path"][:200] + ".")
    if count > 1 and not call.get("all"):
        raise Refused(
            "TOOLS_INVALID",
            "The text to replace occurs " + str(count) + " times: give more of its surroundings, or ask for all.",
        )
    temporary = temporary_beside(path)
    out = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(out, before.replace(find, replace))
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(out)
    return {"replacements": count}


def walk(folder, limit, whole=False):
    """Paths below a folder, a folder before what it holds. `whole`: what cannot be listed is an error."""
    stack = [folder]
    seen = 0
    while stack:
        current = stack.pop()
        try:
            names = sorted(os.listdir(current))
        except OSError:
            if whole:
                raise
            continue
        for name in names:
            path = os.path.join(current, name)
            seen += 1
            if seen > limit:
                return
            yield path
            if os.path.isdir(path) and not os.path.islink(path):
                stack.append(path)


def file_list(guest, call, fd_in, fd_out):
    folder = resolve(guest, call.get("path", "."))
    if call.get("recursive"):
        paths = walk(folder, 100000)
    else:
        paths = (os.path.join(folder, name) for name in sorted(os.listdir(folder)))
    entries = []
    for path in paths:
        try:
            entries.append(entry(guest, path))
        except OSError:
            continue
        if len(entries) >= call["limit"]:
            break
    entries.sort(key=lambda each: each["path"])
    write_all(fd_out, dumps(entries).encode("ascii"))
    return {}


def pattern_of(glob):
    """`**` crosses folders, `*` and `?` do not."""
    import re

    out, at = [], 0
    while at < len(glob):
        letter = glob[at]
        if glob[at : at + 3] == "**/":
            out.append("(?:[^/]+/)*")
            at += 3
        elif glob[at : at + 2] == "**":
            out.append(".*")
            at += 2
        elif letter == "*":
            out.append("[^/]*")
            at += 1
        elif letter == "?":
            out.append("[^/]")
            at += 1
        elif letter == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2)
            inner = glob[at + 1 : end].replace("\\", "\\\\")
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
            at = end + 1
        else:
            out.append(re.escape(letter))
            at += 1
    return re.compile("(?:" + "".join(out) + r")\Z", re.S)


def file_glob(guest, call, fd_in, fd_out):
    folder = resolve(guest, call.get("path", "."))
    pattern = pattern_of(call["pattern"])
    found = []
    for path in walk(folder, 100000):
        if pattern.match(path[len(folder) + 1 :]):
            found.append(shown(guest, path))
            if len(found) >= call["limit"]:
                break
    write_all(fd_out, dumps(sorted(found)).encode("ascii"))
    return {}


def file_grep(guest, call, fd_in, fd_out):
    import re

    start_at = resolve(guest, call.get("path", "."))
    try:
        pattern = re.compile(call["pattern"], re.I if call.get("ignoreCase") else 0)
    except re.error as error:
        raise Refused("TOOLS_INVALID", "The pattern is no regular expression: " + str(error) + ".")
    only_names = pattern_of(call["glob"]) if call.get("glob") else None
    matches = []
    paths = walk(start_at, 100000) if os.path.isdir(start_at) else [start_at]
    for path in paths:
        if only_names and not (only_names.match(os.path.basename(path)) or only_names.match(shown(guest, path))):
            continue
        try:
            fd = open_regular(path)
        except (OSError, Refused):
            continue
        with os.fdopen(fd, "rb") as file:
            if b"\0" in file.read(1024):
                continue
            file.seek(0)
            number = 0
            while len(matches) < call["limit"]:
                raw = file.readline(1 << 20)
                if not raw:
                    break
                number += 1
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                if pattern.search(line):
                    matches.append({"path": shown(guest, path), "line": number, "text": line[:2000]})
        if len(matches) >= call["limit"]:
            break
    write_all(fd_out, dumps(matches).encode("ascii"))
    return {}


def remove_tree(path):
    """Also a tree too deep for recursion: its folders are brought up one by one."""
    import shutil

    try:
        return shutil.rmtree(path)
    except RecursionError:
        pass
    while True:
        names = os.listdir(path)
        if not names:
            return os.rmdir(path)
        for name in names:
            each = os.path.join(path, name)
            if os.path.islink(each) or not os.path.isdir(each):
                os.unlink(each)
                continue
            for inner in os.listdir(each):
                os.rename(os.path.join(each, inner), os.path.join(path, ".ashlar-" + os.urandom(8).hex()))
            os.rmdir(each)


def file_remove(guest, call, fd_in, fd_out):
    path = resolve(guest, call["path"], parent_only=True)
    if path in guest.roots:
        raise Refused("TOOLS_FILE_REFUSED", "The workspace itself cannot be removed.")
    if not os.path.isdir(path) or os.path.islink(path):
        os.unlink(path)
    elif call.get("recursive"):
        remove_tree(path)
    elif os.listdir(path):
        raise Refused("TOOLS_INVALID", call["path"][:200] + " is a folder with content: ask for recursive.")
    else:
        os.rmdir(path)
    return {}


def file_move(guest, call, fd_in, fd_out):
    source = resolve(guest, call["from"], parent_only=True)
    target = resolve(guest, call["to"], parent_only=True)
    os.lstat(source)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        import shutil

        shutil.move(source, target)
    return {}


def file_folder(guest, call, fd_in, fd_out):
    os.makedirs(resolve(guest, call["path"]), exist_ok=True)
    return {}


def file_pack(guest, call, fd_in, fd_out):
    import gzip
    import tarfile

    folder = resolve(guest, call.get("path", "."))

    paths = list(walk(folder, ENTRIES_MAX + 1, whole=True))
    total = sum(os.lstat(path).st_size for path in paths)
    if len(paths) > ENTRIES_MAX or total > call["maxBytes"]:
        size = str(len(paths)) + " entries of " + str(total) + " bytes"
        raise Refused("TOOLS_TOO_LARGE", "An archive of " + size + " is over the cap: remove what need not be kept.")

    taken = 0

    def plain(info):
        nonlocal taken
        taken += info.size
        if taken > call["maxBytes"]:
            raise Refused("TOOLS_TOO_LARGE", "The files grew over the cap while they were packed.")
        return info if info.isreg() or info.isdir() or info.issym() else None

    with os.fdopen(fd_out, "wb", closefd=False) as sink:
        with gzip.GzipFile(fileobj=sink, mode="wb", compresslevel=1, mtime=0) as packed:
            with tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for path in paths:
                    archive.add(path, arcname=path[len(folder) + 1 :], recursive=False, filter=plain)
    return {}


def entry_target(folder, name):
    clean = os.path.normpath(name)
    if name.startswith("/") or clean.startswith("..") or "\0" in name or "\\" in name or len(name) > NAME_MAX:
        raise Refused("TOOLS_ARCHIVE_REFUSED", "The entry " + repr(name[:200]) + " would leave the folder.")
    return os.path.join(folder, clean)


def inside(folder, path, name):
    real = os.path.realpath(path)
    if real != folder and not real.startswith(folder + "/"):
        raise Refused("TOOLS_ARCHIVE_REFUSED", "The entry " + repr(name[:200]) + " would leave the folder.")


def file_unpack(guest, call, fd_in, fd_out):
    folder = resolve(guest, call.get("path", "."))
    os.makedirs(folder, exist_ok=True)
    stage = os.path.join(guest.roots[-1] if len(guest.roots) > 1 else folder, ".ashlar-unpack-" + os.urandom(8).hex())
    os.mkdir(stage, 0o700)
    try:
        count, total = unpack_into(stage, call, fd_in)
        merge(stage, folder)
        return {"files": count, "bytes": total}
    finally:
        remove_tree(stage)


def merge(source, target):
    import shutil

    for name in os.listdir(source):
        inner, outer = os.path.join(source, name), os.path.join(target, name)
        if os.path.isdir(inner) and not os.path.islink(inner):
            if os.path.islink(outer) or (os.path.exists(outer) and not os.path.isdir(outer)):
                os.unlink(outer)
            os.makedirs(outer, exist_ok=True)
            merge(inner, outer)
        else:
            if os.path.isdir(outer) and not os.path.islink(outer):
                raise Refused("TOOLS_ARCHIVE_REFUSED", name[:200] + " is a folder here and a file in the archive.")
            shutil.move(inner, outer)


def unpack_into(stage, call, fd_in):
    import shutil
    import tarfile
    import zipfile

    spool = os.path.join(stage, ".archive")
    size = 0
    with open(spool, "wb") as file:
        while True:
            data = os.read(fd_in, CHUNK)
            if not data:
                break
            size += len(data)
            if size > call["maxBytes"]:
                raise Refused("TOOLS_ARCHIVE_REFUSED", "The archive itself is over the cap of its content.")
            file.write(data)
    if call.get("bytes") is not None and call["bytes"] != size:
        raise Refused("TOOLS_CANCELLED", "The archive ended early.")
    root = os.path.join(stage, "content")
    os.mkdir(root)
    count = total = 0

    def take(name, source):
        nonlocal count, total
        target = entry_target(root, name)
        inside(root, os.path.dirname(target), name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            while True:
                data = source.read(CHUNK)
                if not data:
                    break
                total += len(data)
                if total > call["maxBytes"]:
                    raise Refused("TOOLS_ARCHIVE_REFUSED", "The content is over " + str(call["maxBytes"]) + " bytes.")
                file.write(data)

    def more(name):
        nonlocal count
        count += 1
        if count > call["maxEntries"]:
            raise Refused("TOOLS_ARCHIVE_REFUSED", "The archive has more than " + str(call["maxEntries"]) + " entries.")

    try:
        if zipfile.is_zipfile(spool):
            with zipfile.ZipFile(spool) as archive:
                for info in archive.infolist():
                    more(info.filename)
                    kind = (info.external_attr >> 16) & 0o170000
                    if kind not in (0, 0o100000, 0o040000):
                        raise Refused("TOOLS_ARCHIVE_REFUSED", info.filename[:200] + " is a link or a device.")
                    if info.is_dir():
                        os.makedirs(entry_target(root, info.filename), exist_ok=True)
                    else:
                        with archive.open(info) as source:
                            take(info.filename, source)
        else:
            with tarfile.open(spool, "r:*") as archive:
                for info in archive:
                    more(info.name)
                    if info.isdir():
                        os.makedirs(entry_target(root, info.name), exist_ok=True)
                    elif info.isreg():
                        take(info.name, archive.extractfile(info))
                        os.chmod(entry_target(root, info.name), 0o644 | (info.mode & 0o111))
                    elif info.issym() and call.get("links"):
                        target = entry_target(root, info.name)
                        inside(root, os.path.dirname(target), info.name)
                        os.makedirs(os.path.dirname(target), exist_ok=True)
                        os.symlink(info.linkname, target)
                    else:
                        raise Refused("TOOLS_ARCHIVE_REFUSED", info.name[:200] + " is a link or a device.")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, FileExistsError, ValueError, RuntimeError) as error:
        raise Refused("TOOLS_ARCHIVE_REFUSED", "The archive cannot be read: " + str(error)[:200])
    except OSError as error:
        if error.errno is None or "gzip" in str(error).lower() or "crc" in str(error).lower():
            raise Refused("TOOLS_ARCHIVE_REFUSED", "The archive cannot be read: " + str(error)[:200])
        raise
    except Exception as error:
        if type(error).__module__ in ("zlib", "lzma", "_lzma"):
            raise Refused("TOOLS_ARCHIVE_REFUSED", "The archive cannot be read: " + str(error)[:200])
        raise
    os.unlink(spool)
    for name in os.listdir(root):
        shutil.move(os.path.join(root, name), os.path.join(stage, name))
    os.rmdir(root)
    return count, total


OPERATIONS.update(
    {
        "file.read": read_operation,
        "file.write": write_operation,
        "file.edit": job(file_edit),
        "file.list": job(file_list),
        "file.glob": job(file_glob),
        "file.grep": job(file_grep),
        "file.remove": job(file_remove),
        "file.move": job(file_move),
        "file.folder": job(file_folder),
        "file.pack": job(file_pack),
        "file.unpack": job(file_unpack),
    }
)
