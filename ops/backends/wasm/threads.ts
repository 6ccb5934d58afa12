/**
 * Starting a thread on Deno, Node and browsers: the one place where they differ.
 *
 * @module
 */

/** What a thread is started with. */
export interface ThreadInit {
  /** The shared memory. */
  memory: WebAssembly.Memory;
  /** Bytes of the driver module. */
  driver: Uint8Array<ArrayBuffer>;
  /** Address of the control block. */
  control: number;
  /** Which thread this is, from 1. */
  thread: number;
  /** Offsets that the thread's script needs. */
  offsets: Record<string, number>;
}

/** A started thread. */
export interface Thread {
  /** Ends it at once. */
  terminate(): void;
}

interface NodeWorker {
  unref(): void;
  terminate(): unknown;
  on(event: "error", listener: (error: unknown) => void): void;
}

type NodeWorkerClass = new (
  source: string,
  options: { eval: true; workerData: unknown },
) => NodeWorker;

interface NodeProcess {
  getBuiltinModule?(name: string): {
    Worker?: NodeWorkerClass;
    availableParallelism?(): number;
  } | undefined;
}

/**
 * How many threads the hardware runs at once.
 *
 * @returns At least 1. Node before 21 has no `navigator` and is asked through `node:os`.
 */
export function hardwareThreads(): number {
  const { navigator } = globalThis as { navigator?: { hardwareConcurrency?: number } };
  return navigator?.hardwareConcurrency ?? nodeModule("node:os")?.availableParallelism?.() ?? 1;
}

/** Whether this thread may sleep until another wakes it: not the main one of a page. */
export function mayWait(): boolean {
  try {
    return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1) === "not-equal";
  } catch {
    return false;
  }
}

/**
 * The thread's script: instantiates the driver, then works, loading modules when told. A record of
 * a module is: next record, first table index, length of the JSON list of export names, length of
 * the module, then the two. A trap is written to the control block, its claims are reported as done.
 */
const SCRIPT = `
function start({ memory, driver, control, thread, offsets: at }) {
  const words = () => new Int32Array(memory.buffer);
  const table = new WebAssembly.Table({ element: "anyfunc", initial: 256 });
  const env = { memory, table };
  const load = (bytes) => new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
  const { work } = load(driver);
  const slot = (control + at.slots + thread * at.slotSize) >>> 2;
  let modules = 0, link = control + at.firstModule;
  const next = () => {
    memory.grow(0); // another thread may have grown it; this renews our view of its length
    const record = words()[link >>> 2] >>> 0;
    const [base, text, size] = words().subarray((record >>> 2) + 1, (record >>> 2) + 4);
    const bytes = new Uint8Array(memory.buffer).slice(record + 16, record + 16 + text + size);
    const own = new Uint8Array(bytes);
    const names = JSON.parse(new TextDecoder().decode(own.subarray(0, text)));
    const exported = load(own.slice(text));
    while (table.length < base + names.length) table.grow(table.length);
    names.forEach((name, i) => table.set(base + i, exported[name]));
    link = record;
    modules++;
  };
  const report = (error) => {
    const text = new TextEncoder().encode(String(error)).subarray(0, at.errorCapacity);
    if (Atomics.compareExchange(words(), (control + at.error) >>> 2, 0, 2) === 0) {
      new Uint8Array(memory.buffer).set(text, control + at.errorText);
      words()[(control + at.errorLength) >>> 2] = text.length;
      Atomics.store(words(), (control + at.error) >>> 2, 1);
    }
    const claims = words()[slot];
    words()[slot] = words()[slot + 1] = 0;
    Atomics.sub(words(), (control + at.pending) >>> 2, claims);
  };
  Atomics.add(words(), (control + at.ready) >>> 2, 1);
  for (;;) {
    try {
      if (work(control, thread, modules) === 2) return;
      while (modules < Atomics.load(words(), (control + at.published) >>> 2)) next();
    } catch (error) {
      report(error);
      if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) return;
    }
  }
}
`;

const WEB =
  `${SCRIPT} globalThis.onmessage = (event) => { start(event.data); globalThis.close(); };`;
const NODE = `${SCRIPT} start(require("node:worker_threads").workerData);`;

/**
 * Starts a thread. It does not keep the process alive.
 *
 * A web worker where the process would end anyway (a page) or where it can be told not to count
 * (Deno, 9 ms); else Node's worker threads (35 ms in Deno), which have a public way to say so.
 *
 * @param init What it needs.
 * @returns A handle, or undefined where the platform has no threads.
 */
export function startThread(init: ThreadInit): Thread | undefined {
  if (typeof Worker === "function") {
    const unref = hiddenUnref();
    if (unref !== undefined || nodeThreads() === undefined) return startWeb(init, unref);
  }
  const Node = nodeThreads();
  if (Node === undefined) return undefined;
  const worker = new Node(NODE, { eval: true, workerData: init });
  worker.on("error", ignore);
  worker.unref();
  return { terminate: () => void worker.terminate() };
}

function ignore(): void {}

function startWeb(init: ThreadInit, unref: PropertyKey | undefined): Thread {
  const url = URL.createObjectURL(new Blob([WEB], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  worker.postMessage(init);
  if (unref !== undefined) {
    (worker as unknown as Record<PropertyKey, (ref: boolean) => void>)[unref]!(false);
  }
  return {
    terminate: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}

/**
 * Deno's web workers keep the process alive, and the method that its own `node:worker_threads`
 * calls to change that is on their prototype under a symbol without a name. If a version of Deno
 * has no such method, threads come from `node:worker_threads`: slower to start, else the same.
 */
function hiddenUnref(): symbol | undefined {
  if (!("Deno" in globalThis)) return undefined;
  const prototype = Worker.prototype as unknown as Record<symbol, unknown>;
  return Object.getOwnPropertySymbols(prototype).find((symbol) => {
    const value = symbol.description === undefined || symbol.description === ""
      ? Object.getOwnPropertyDescriptor(prototype, symbol)?.value
      : undefined;
    return typeof value === "function" && value.length === 1;
  });
}

function nodeThreads(): NodeWorkerClass | undefined {
  return nodeModule("node:worker_threads")?.Worker;
}

/** A module of Node's, without an import that a browser's bundler would have to resolve. */
function nodeModule(name: string): ReturnType<NonNullable<NodeProcess["getBuiltinModule"]>> {
  return (globalThis as { process?: NodeProcess }).process?.getBuiltinModule?.(name);
}
