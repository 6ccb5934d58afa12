/**
 * Starting V8 again so that it pairs the vectors of the kernels: 256 bits at a time instead of 128,
 * with the same bits in every result. On two cores of an EPYC (Zen 5) a training step takes 0.57 to
 * 0.71 of the time.
 *
 * V8 reads its flags once, at the start of the process, and a script that is run has none. So the
 * process is replaced by itself with the flags, as `exec` does: same process, same terminal, same
 * signals, some 20 ms. Where anything that this needs is not there, nothing happens.
 *
 * Without bounds checks a kernel that reads past the memory ends the process instead of throwing: all
 * addresses that it can form lie in the 4 GiB that the memory reserves. Positions that come from data
 * are checked by the kernels themselves, with and without.
 *
 * @module
 */

/** What V8 is asked for; both are of its own testing, so the version must be a tried one. */
const V8_FLAGS = "--v8-flags=--experimental-wasm-revectorize,--no-wasm-bounds-checks";

/** Major version of V8 that these flags were tried with, in Deno 2.9. */
const V8_TRIED = "15.";

/** What the processor must have; V8 pairs nothing without them. */
const INSTRUCTIONS = ["avx2", "fma"] as const;

/** What is asked of the system, for tests. */
export interface Surroundings {
  /** Words of the command line of this process, the program first. */
  commandLine(): string[];
  /** Names of instruction sets of the processor. */
  instructions(): string[];
  /** Puts a program in the place of this process; comes back only where it cannot. */
  exec(program: string, words: readonly string[]): void;
}

/** Linux, as `/proc` tells it. */
const LINUX: Surroundings = {
  commandLine: () => Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(0, -1),
  instructions() {
    const line = Deno.readTextFileSync("/proc/cpuinfo").match(/^flags\s*:(.*)$/m);
    return line?.[1]?.trim().split(" ") ?? [];
  },
  exec(program, words) {
    const libc = Deno.dlopen("libc.so.6", {
      execv: { parameters: ["buffer", "buffer"], result: "i32" },
    });
    const texts = words.map(cString);
    const pointers = new BigUint64Array(words.length + 1); // ends with a null
    for (const [i, text] of texts.entries()) {
      pointers[i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(text));
    }
    libc.symbols.execv(cString(program), pointers);
    libc.close();
  },
};

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** Whether nothing would have to be asked of the user, and V8 is one that was tried. */
function allowed(): boolean {
  const { os, arch, standalone } = Deno.build;
  if (os !== "linux" || arch !== "x86_64" || standalone) return false;
  if (!Deno.version.v8.startsWith(V8_TRIED)) return false;
  const needed = [{ name: "ffi" }, { name: "read", path: "/proc" }] as const;
  return needed.every((permission) => Deno.permissions.querySync(permission).state === "granted");
}

/**
 * The command line with the flags in it.
 *
 * @param words The command line as it is, such as `deno run -A models/gpt.ts`.
 * @returns The new one, or undefined where it is not `deno run`, or the user's own flags are there.
 */
export function withFlags(words: readonly string[]): string[] | undefined {
  const [program, command, ...rest] = words;
  if (program === undefined || command !== "run") return undefined;
  if (rest.some((word) => word.startsWith("--v8-flags"))) return undefined;
  return [program, command, V8_FLAGS, ...rest];
}

/** Whether this process was started with the flags. */
export function isPaired(surroundings: Surroundings = LINUX): boolean {
  return allowed() && surroundings.commandLine().includes(V8_FLAGS);
}

/**
 * Starts this process again with paired vectors, where that can be done and was not. To be called
 * before anything is written or printed.
 *
 * @param surroundings The system; for tests.
 */
export function pairVectors(surroundings: Surroundings = LINUX): void {
  if (!allowed()) return;
  const words = withFlags(surroundings.commandLine());
  if (words === undefined) return;
  const found = surroundings.instructions();
  if (!INSTRUCTIONS.every((name) => found.includes(name))) return;
  try {
    surroundings.exec(Deno.execPath(), words);
  } catch {
    // Another C library than glibc: go on as started.
  }
}
