/**
 * Memory that the collector does not see. V8 knows nothing of device buffers, so it would let handles
 * pile up; when the live bytes of a device pass a mark, a collection is forced at the next await.
 */
import type { Backend } from "../backends/backend.ts";

/**
 * The mark is this much above a quarter more than what the last collection left: low enough that a
 * loop of small steps reaches its final size at once, high enough that collections (5 to 8 ms) stay
 * below a tenth of its time.
 */
const HEADROOM = 8 * 2 ** 20;

const marks = new WeakMap<Backend, number>();
let collector: (() => void) | undefined | null;

interface NodeVm {
  runInNewContext(code: string): unknown;
}

interface NodeV8 {
  setFlagsFromString(flags: string): void;
}

/** A forced collection, where the runtime has one (Deno and Node; 5 to 8 ms). */
function findCollector(): (() => void) | null {
  try {
    const host = globalThis as unknown as {
      process?: { getBuiltinModule?: (name: string) => unknown };
    };
    const builtin = host.process?.getBuiltinModule;
    if (!builtin) return null;
    (builtin("node:v8") as NodeV8).setFlagsFromString("--expose-gc");
    return (builtin("node:vm") as NodeVm).runInNewContext("gc") as () => void;
  } catch {
    return null;
  }
}

function macrotask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

let lastBreath = 0;

/**
 * Lets the event loop turn every few milliseconds, so that finalizers run, and forces a collection
 * when the device's live bytes have passed the mark. Called wherever the library awaits.
 */
export async function breathe(backend: Backend): Promise<void> {
  const { live } = backend.memory();
  const mark = marks.get(backend) ?? HEADROOM;
  const now = performance.now();
  if (live > mark) {
    await collectGarbage();
    lastBreath = performance.now();
    marks.set(backend, 1.25 * backend.memory().live + HEADROOM);
  } else if (now - lastBreath > 4) {
    lastBreath = now;
    await macrotask();
  }
}

/** Memory of this size that comes and goes is what makes an engine collect. */
const PRESSURE = 64 * 2 ** 20;

/** Chromium collects after two or three such arrays. An engine that does not is left in peace. */
const ATTEMPTS = 8;

const sentinels = new FinalizationRegistry<() => void>((tell) => tell());

/** A collection in a browser, which offers none: 1 to 2 ms in Chromium. The arrays are never touched. */
async function provokeCollection(): Promise<void> {
  let collected = false;
  sentinels.register({}, () => {
    collected = true;
  });
  try {
    for (let i = 0; i < ATTEMPTS && !collected; i++) {
      void new ArrayBuffer(PRESSURE);
      await macrotask();
    }
  } catch (error) {
    // No room for the array: the engine has just collected all it could.
    if (!(error instanceof RangeError)) throw error;
  }
}

/** Forces a collection, or brings one about, and lets finalizers give memory back. */
export async function collectGarbage(): Promise<void> {
  if (collector === undefined) collector = findCollector();
  await macrotask();
  if (collector) collector();
  else await provokeCollection();
  // After a forced collection Deno runs finalizers when a timer fires, not at a message.
  await new Promise((resolve) => setTimeout(resolve, 0));
}
