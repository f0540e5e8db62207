/**
 * A seccomp filter in classic BPF, as `bwrap --seccomp` takes it: what isolated programs never need and what has let
 * others out. Numbers are from the kernel's own tables; foreign ABIs are refused whole.
 */
const X86 = {
  audit: 0xc000003e,
  clone: 56,
  clone3: 435,
  socket: 41,
  ioctl: 16,
  unshare: 272,
  chroot: 161,
  setsockopt: 54,
} as const;
const ARM = {
  audit: 0xc00000b7,
  clone: 220,
  clone3: 435,
  socket: 198,
  ioctl: 29,
  unshare: 97,
  chroot: 51,
  setsockopt: 208,
} as const;
const SHARED = [425, 426, 427, 428, 429, 430, 431, 432, 433, 442, 438, 440, 447, 448] as const;
const DENIED: Readonly<Record<"x64" | "arm64", readonly number[]>> = {
  x64: [
    ...SHARED,
    101,
    310,
    311,
    312,
    165,
    166,
    155,
    161,
    308,
    272,
    248,
    249,
    250,
    321,
    323,
    298,
    103,
    304,
    303,
    135,
    169,
    167,
    168,
    175,
    176,
    313,
    246,
    320,
    153,
    172,
    173,
    163,
    179,
    300,
    301,
    237,
    238,
    239,
    256,
    279,
    170,
    171,
    159,
    164,
    227,
    305,
    212,
    156,
    134,
    136,
    139,
    174,
    177,
    178,
    180,
  ],
  arm64: [
    ...SHARED,
    117,
    270,
    271,
    272,
    40,
    39,
    41,
    51,
    268,
    97,
    217,
    218,
    219,
    280,
    282,
    241,
    116,
    265,
    264,
    92,
    142,
    224,
    225,
    105,
    106,
    273,
    104,
    294,
    58,
    89,
    60,
    262,
    263,
    235,
    236,
    237,
    238,
    239,
    161,
    162,
    171,
    170,
    112,
    266,
    18,
  ],
};
/** Every kind of namespace; NEWTIME (0x80) is a flag of `unshare` only, and a signal number in `clone`. */
const NEW_NAMESPACES = 0x7e020000;
/** CLONE_NEWUSER, CLONE_NEWPID and CLONE_NEWNET: what Chromium's sandbox of a renderer is made of. */
const NESTED_NAMESPACES = 0x70000000;
const NEW_TIME = 0x80;
/** IPT_SO_SET_REPLACE: whoever has a network namespace of its own may speak to the kernel's packet filters by it. */
const SET_FILTER_TABLE = 64;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const EPERM = 0x00050001;
const ENOSYS = 0x00050026;
const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const [LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN] = [0x20, 0x15, 0x35, 0x45, 0x06];

export interface SeccompOptions {
  /** Lets programs inside make user, process and network namespaces, and `chroot` in them. Default false. */
  readonly userNamespaces?: boolean;
}

export function seccompFilter(
  architecture: string,
  { userNamespaces = false }: SeccompOptions = {},
): Buffer | undefined {
  if (architecture !== "x64" && architecture !== "arm64") return undefined;
  const table = architecture === "x64" ? X86 : ARM;
  const forbidden = userNamespaces ? NEW_NAMESPACES & ~NESTED_NAMESPACES : NEW_NAMESPACES;
  const denied = DENIED[architecture].filter(
    (number) => !userNamespaces || (number !== table.unshare && number !== table.chroot),
  );
  const program: [number, number, number, number][] = [];
  const add = (code: number, k: number, yes = 0, no = 0): void => void program.push([code, yes, no, k]);
  const argument = (index: number): void => add(LOAD, 16 + 8 * index);
  const give = (value: number): void => add(RETURN, value);

  add(LOAD, 4);
  add(EQUAL, table.audit, 1, 0);
  give(KILL);
  add(LOAD, 0);
  if (architecture === "x64") {
    add(AT_LEAST, 0x40000000, 0, 1);
    give(EPERM);
  }
  add(EQUAL, table.clone3, 0, 1);
  give(ENOSYS);
  for (const number of denied) {
    add(EQUAL, number, 0, 1);
    give(EPERM);
  }
  if (userNamespaces) {
    add(EQUAL, table.unshare, 0, 4);
    argument(0);
    add(ANY_BIT, forbidden | NEW_TIME, 0, 1);
    give(EPERM);
    give(ALLOW);
    add(EQUAL, table.setsockopt, 0, 5);
    argument(2);
    add(EQUAL, SET_FILTER_TABLE, 1, 0);
    add(EQUAL, SET_FILTER_TABLE + 1, 0, 1);
    give(EPERM);
    give(ALLOW);
  }
  add(EQUAL, table.clone, 0, 2);
  argument(0);
  add(ANY_BIT, forbidden, 5, 6);
  add(EQUAL, table.ioctl, 0, 3);
  argument(1);
  add(EQUAL, TIOCSTI, 2, 0);
  add(EQUAL, TIOCLINUX, 1, 2);
  add(EQUAL, table.socket, 2, 1);
  give(EPERM);
  give(ALLOW);
  argument(0);
  add(EQUAL, 1, 2, 0);
  add(EQUAL, 2, 1, 0);
  add(EQUAL, 10, 0, 1);
  give(ALLOW);
  give(EPERM);

  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, yes, no, k], at) => {
    bytes.writeUInt16LE(code, at * 8);
    bytes[at * 8 + 2] = yes;
    bytes[at * 8 + 3] = no;
    bytes.writeUInt32LE(k >>> 0, at * 8 + 4);
  });
  return bytes;
}
