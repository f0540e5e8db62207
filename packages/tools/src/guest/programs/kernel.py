"""The Python kernel: a child of the guest that runs code and keeps its variables."""

TEXT_MAX = 1024 * 1024
FORM_MAX = 8 * 1024 * 1024
AWAIT = 0x2000
ONLY_AST = 0x0400


class Site:
    """`site`, which costs as much as the rest of the start, run at the first import from outside the standard library."""

    def __init__(self):
        self.done = False
        self.own = getattr(sys, "stdlib_module_names", None)
        if self.own is None:
            self.run()
            return
        sys.meta_path.insert(0, self)
        for name in ("exit", "quit", "help"):
            setattr(builtins, name, lambda *args, name=name: self.run() or getattr(builtins, name)(*args))

    def run(self):
        if not self.done:
            self.done = True
            import site

            site.main()

    def find_spec(self, name, path=None, target=None):
        if not self.done and name.partition(".")[0] not in self.own:
            self.run()


site = Site()


def fork_kernel(guest, fd, ends, folder):
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            fresh_signals()
            prefer_for_memory_killer()
            for target, source in enumerate(ends):
                os.dup2(source, target, inheritable=True)
            only(fd)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(guest.environment)
            kernel_main(fd, folder)
        finally:
            os._exit(0)
    return pid


class Kernel:
    def __init__(self, fd, folder):
        self.fd = fd
        self.pid = os.getpid()
        self.running = False
        self.count = 0
        self.results_left = 256
        self.cut = False
        main = type(sys)("__main__")
        self.names = main.__dict__
        self.names["__builtins__"] = builtins
        self.names["display"] = self.display
        sys.modules["__main__"] = main
        sys.path.insert(0, folder)
        sys.argv = [""]

    def send(self, kind, value):
        body = kind + dumps(value).encode("ascii")
        write_all(self.fd, len(body).to_bytes(4, "big") + body)

    def read(self, count):
        data = b""
        while len(data) < count:
            try:
                piece = os.read(self.fd, count - len(data))
            except KeyboardInterrupt:
                continue
            if not piece:
                os._exit(0)
            data += piece
        return data

    def loop(self):
        signal.signal(signal.SIGINT, self.on_interrupt)
        while True:
            length = int.from_bytes(self.read(4), "big")
            body = self.read(length)
            call = loads(body[1:].decode("utf-8"))
            outcome = self.execute(call["code"])
            if os.getpid() != self.pid:
                os._exit(0)
            self.send(b"Z", outcome)

    def on_interrupt(self, number, frame):
        if self.running:
            self.running = False
            raise KeyboardInterrupt

    def execute(self, code):
        self.count += 1
        self.results_left = 256
        self.cut = False
        name = "<cell " + str(self.count) + ">"
        outcome = {"status": "ok"}
        try:
            try:
                self.running = True
                value = self.evaluate(code, name)
                if value is not None:
                    self.names["_"] = value
                    self.show(value, "value")
                self.plots()
            finally:
                self.running = False
        except KeyboardInterrupt:
            outcome = {"status": "interrupted"}
        except SystemExit as leaving:
            if leaving.code not in (None, 0):
                outcome = {"status": "error", "error": self.describe(leaving, code, name)}
        except BaseException as error:
            if os.getpid() != self.pid:
                os._exit(1)
            outcome = {"status": "error", "error": self.describe(error, code, name)}
        if self.cut:
            outcome["cut"] = True
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except BaseException:
                pass
        return outcome

    def evaluate(self, code, name):
        tree = compile(code, name, "exec", ONLY_AST | AWAIT, True)
        last = None
        if tree.body and type(tree.body[-1]).__name__ == "Expr" and not code.rstrip().endswith(";"):
            import _ast

            last = _ast.Expression(tree.body.pop().value)
        if tree.body:
            self.step(compile(tree, name, "exec", AWAIT, True))
        if last is not None:
            return self.step(compile(last, name, "eval", AWAIT, True))
        return None

    def step(self, compiled):
        if compiled.co_flags & 0x80:
            import asyncio

            loop = self.names.get("__loop__") or asyncio.new_event_loop()
            self.names["__loop__"] = loop
            asyncio.set_event_loop(loop)
            return loop.run_until_complete(eval(compiled, self.names))
        return eval(compiled, self.names)

    def describe(self, error, code, name):
        try:
            import linecache
            import traceback

            linecache.cache[name] = (len(code), None, code.splitlines(True), name)
            lines = traceback.format_exception(type(error), error, error.__traceback__)
            kept = [line for line in lines if 'File "<guest>"' not in line]
            text = "".join(kept)
            message = str(error)
        except BaseException:
            text = message = "The error could not be shown."
        return {
            "name": type(error).__name__[:200],
            "message": message[:TEXT_MAX],
            "traceback": text[-TEXT_MAX:],
        }

    # Results

    def display(self, *values):
        for value in values:
            self.show(value, "display")

    def show(self, value, kind):
        if self.results_left <= 0:
            self.cut = True
            return
        self.results_left -= 1
        self.send(b"D", {"kind": kind, "data": self.forms(value)})

    def forms(self, value):
        data = {}
        bundle = getattr(value, "_repr_mimebundle_", None)
        if bundle is not None and not isinstance(value, type):
            try:
                made = bundle(include=None, exclude=None)
                made = made[0] if isinstance(made, tuple) else made
                for media, form in dict(made).items():
                    self.add(data, str(media), form)
            except Exception:
                pass
        if not isinstance(value, type):
            for method, media in FORMS:
                make = getattr(value, method, None)
                if make is None or media in data:
                    continue
                try:
                    self.add(data, media, make())
                except Exception:
                    pass
            if type(value).__module__ == "matplotlib.figure" and "image/png" not in data:
                try:
                    self.add(data, "image/png", picture(value))
                    close_figure(value)
                except Exception:
                    pass
        if "application/json" not in data and type(value) in (dict, list):
            try:
                self.add(data, "application/json", dumps(value))
            except Exception:
                pass
        if "text/plain" not in data:
            try:
                text = repr(value)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                text = "<" + type(value).__name__ + " whose repr raised " + type(error).__name__ + ">"
            if len(text) > TEXT_MAX:
                self.cut = True
                text = text[:TEXT_MAX]
            data["text/plain"] = text
        return data

    def add(self, data, media, form):
        if form is None:
            return
        if isinstance(form, tuple):
            form = form[0]
        if isinstance(form, (bytes, bytearray)):
            import binascii

            form = binascii.b2a_base64(form, newline=False).decode("ascii")
        elif not isinstance(form, str):
            form = dumps(form)
        if len(form) > FORM_MAX or sum(map(len, data.values())) + len(form) > FORM_MAX:
            self.cut = True
            return
        data[media] = form

    def plots(self):
        """Figures that the code left open, as `plt.show` would have shown them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        for number in pyplot.get_fignums():
            self.show(pyplot.figure(number), "display")
        pyplot.close("all")


FORMS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
    ("_repr_latex_", "text/latex"),
    ("_repr_json_", "application/json"),
)


def picture(figure):
    import io

    sink = io.BytesIO()
    figure.savefig(sink, format="png", bbox_inches="tight")
    return sink.getvalue()


def close_figure(figure):
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)


class PlotBackend:
    """Agg, with a `show` that gives pictures; chosen when this process imports pyplot, and in no other."""

    name = "ashlar_plots"

    def __init__(self, kernel):
        self.kernel = kernel
        sys.meta_path.insert(0, self)
        if "matplotlib" in sys.modules:
            self.choose()

    def choose(self):
        import matplotlib

        matplotlib.rcParams["backend"] = "module://" + self.name

    def find_spec(self, name, path=None, target=None):
        if name == "matplotlib.pyplot":
            self.choose()
        return type(os.__spec__)(name, self) if name == self.name else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        from matplotlib.backend_bases import FigureManagerBase
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        module.FigureCanvas = FigureCanvasAgg
        module.FigureManager = FigureManagerBase
        module.show = lambda *_, **__: self.kernel.plots()


def kernel_main(fd, folder):
    sys.stdin = open(0, "r", closefd=False)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.setrecursionlimit(3000)
    kernel = Kernel(fd, folder)
    PlotBackend(kernel)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    kernel.loop()
