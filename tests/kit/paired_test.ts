/** Starting again with paired vectors. */
import { assertEquals } from "@std/assert";
import { pairVectors, type Surroundings, withFlags } from "../../models/kit/paired.ts";

const FLAGS = "--v8-flags=--experimental-wasm-revectorize,--no-wasm-bounds-checks";
const WORDS = ["/bin/deno", "run", "-A", "models/gpt.ts", "--steps", "3"];

/** A machine that only notes what it is asked to start. */
function machine(words: string[], instructions: string[]): Surroundings & { started: string[][] } {
  const started: string[][] = [];
  return {
    started,
    commandLine: () => words,
    instructions: () => instructions,
    exec: (program, given) => void started.push([program, ...given]),
  };
}

/** Whether this machine can pair vectors: the others have nothing to test but that nothing happens. */
const tried = Deno.build.os === "linux" && Deno.build.arch === "x86_64" &&
  Deno.version.v8.startsWith("15.");

Deno.test("withFlags() keeps the words of the user in their order", () => {
  const expected = ["/bin/deno", "run", FLAGS, "-A", "models/gpt.ts", "--steps", "3"];
  assertEquals(withFlags(WORDS), expected);
});

Deno.test("withFlags() leaves flags of the user and other commands alone", () => {
  assertEquals(withFlags(["deno", "run", "--v8-flags=--max-old-space-size=99", "a.ts"]), undefined);
  assertEquals(withFlags(["deno", "run", FLAGS, "a.ts"]), undefined);
  assertEquals(withFlags(["deno", "test", "-A"]), undefined);
  assertEquals(withFlags([]), undefined);
});

Deno.test({
  name: "pairVectors() starts the program again where the processor can",
  ignore: !tried,
  fn() {
    const able = machine(WORDS, ["sse2", "fma", "avx2"]);
    pairVectors(able);
    assertEquals(able.started, [[Deno.execPath(), ...withFlags(WORDS)!]]);
  },
});

Deno.test("pairVectors() does nothing on a processor without AVX2, and never a second time", () => {
  const older = machine(WORDS, ["sse2", "avx"]);
  const started = machine(withFlags(WORDS)!, ["fma", "avx2"]);
  for (const each of [older, started]) {
    pairVectors(each);
    assertEquals(each.started, []);
  }
});

Deno.test("pairVectors() goes on where the program cannot be started", () => {
  const other = machine(WORDS, ["fma", "avx2"]);
  other.exec = () => {
    throw new TypeError("libc.so.6: cannot open shared object file");
  };
  pairVectors(other);
});

Deno.test({
  name: "pairVectors() keeps process, arguments and input",
  ignore: !tried || !/^flags\s*:.* avx2 /m.test(await Deno.readTextFile("/proc/cpuinfo")),
  async fn() {
    const module = new URL("../../models/kit/paired.ts", import.meta.url).href;
    const script = await Deno.makeTempFile({ suffix: ".ts" });
    await Deno.writeTextFile(
      script,
      `import { isPaired, pairVectors } from ${JSON.stringify(module)};
      if (!isPaired()) await Deno.stderr.write(new TextEncoder().encode(String(Deno.pid)));
      pairVectors();
      const input = await new Response(Deno.stdin.readable).text();
      console.log(JSON.stringify([isPaired(), Deno.pid, Deno.args, input]));`,
    );
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script, "--text", "two words", "ł"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("typed"));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
    const pid = Number(text(stderr));
    assertEquals(JSON.parse(text(stdout)), [true, pid, ["--text", "two words", "ł"], "typed"]);
    await Deno.remove(script);
  },
});
