import { isHostArray } from "./array.ts";
import { collate } from "./collate.ts";
import type { Dataset } from "./dataset.ts";
import { RandomStream } from "./random.ts";
import { Tensor } from "../ops/mod.ts";
import { listenInWorker, type Send, startWorker, type WorkerLink } from "./worker_link.ts";

/** Which samples make a batch, and where their random numbers come from. */
export interface BatchRequest {
  /** Indices into the data set. */
  indices: Uint32Array<ArrayBuffer>;
  /** Seed of the loader. */
  seed: number;
  /** Epoch. */
  epoch: number;
  /** Position of the first sample within the epoch. */
  position: number;
}

/** Reads the samples of a batch; each has its own random numbers. */
export async function readSamples<T>(dataset: Dataset<T>, request: BatchRequest): Promise<T[]> {
  const { indices, seed, epoch, position } = request;
  const pending: (T | Promise<T>)[] = [];
  let asynchronous = false;
  for (let i = 0; i < indices.length; i++) {
    const sample = dataset.get(
      indices[i]!,
      new RandomStream(seed, { epoch, index: position + i }),
    );
    asynchronous ||= sample instanceof Promise;
    pending.push(sample);
  }
  return asynchronous ? await Promise.all(pending) : pending as T[];
}

interface WorkerRequest extends BatchRequest {
  id: number;
}

interface WorkerReply {
  id: number;
  batch?: unknown;
  error?: string | undefined;
}

/**
 * Serves batches from a worker thread: the module that a {@linkcode DataLoader} names under
 * `workers` calls this once with its data set.
 *
 * @param dataset The data set, or a function that makes it.
 * @param options How samples are joined; {@linkcode collate} where absent.
 * @throws {Error} If this is no worker thread.
 *
 * @example A module for `workers: { module: new URL("./digits.ts", import.meta.url) }`
 * ```ts ignore
 * import { loadMnist, serveDataset, ToTensor } from "@tensaurus/core/data";
 *
 * await serveDataset(async () => (await loadMnist()).withTransform(new ToTensor()));
 * ```
 */
export async function serveDataset<T>(
  dataset: Dataset<T> | (() => Dataset<T> | Promise<Dataset<T>>),
  options: { collate?: ((samples: T[]) => unknown) | undefined } = {},
): Promise<void> {
  const join = options.collate ?? collate;
  let loaded: Promise<Dataset<T>> | undefined;
  const inWorker = await listenInWorker((message, send) => {
    loaded ??= Promise.resolve(typeof dataset === "function" ? dataset() : dataset);
    void answer(loaded, join, message as WorkerRequest, send);
  });
  if (!inWorker) throw new Error("serveDataset: this is no worker thread (see DataLoader workers)");
}

async function answer<T>(
  dataset: Promise<Dataset<T>>,
  join: (samples: T[]) => unknown,
  request: WorkerRequest,
  send: Send,
): Promise<void> {
  try {
    const batch = await join(await readSamples(await dataset, request));
    send({ id: request.id, batch } satisfies WorkerReply, buffersOf(batch));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    send({ id: request.id, error: reason } satisfies WorkerReply, []);
  }
}

/** Buffers of all arrays in a batch, each once, to be moved rather than copied. */
function buffersOf(batch: unknown, found: Set<ArrayBuffer> = new Set()): ArrayBuffer[] {
  if (isHostArray(batch)) {
    found.add(batch.data.buffer);
  } else if (batch instanceof Tensor) {
    throw new TypeError(
      "serveDataset: a sample has a tensor, which cannot leave its thread (give arrays on the host)",
    );
  } else if (typeof batch === "object" && batch !== null && !ArrayBuffer.isView(batch)) {
    for (const part of Object.values(batch)) buffersOf(part, found);
  }
  return [...found];
}

// Workers that nobody asks stop after this many milliseconds, so that no program hangs at its end.
const IDLE_LIMIT = 1000;

interface Waiting {
  resolve: (batch: unknown) => void;
  reject: (error: Error) => void;
}

/** Worker threads that prepare batches; started on first use, stopped when idle. */
export class WorkerPool {
  readonly #module: string | URL;
  readonly #count: number;
  readonly #waiting: Map<number, Waiting> = new Map();
  #links: Promise<WorkerLink>[] = [];
  #nextId = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(module: string | URL, count: number) {
    this.#module = module;
    this.#count = count;
  }

  /** Asks the next worker for a batch. */
  async request(request: BatchRequest): Promise<unknown> {
    clearTimeout(this.#idle);
    while (this.#links.length < this.#count) this.#links.push(this.#start());
    const id = this.#nextId++;
    const reply = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    reply.catch(() => {}); // Whoever awaits the reply sees the error; a dropped one is no fault.
    const link = await this.#links[id % this.#count]!;
    link.send({ ...request, id } satisfies WorkerRequest, []);
    return await reply;
  }

  /** Stops all workers; batches still asked for are refused. */
  close(): void {
    clearTimeout(this.#idle);
    for (const link of this.#links) link.then((running) => running.stop(), () => {});
    this.#links = [];
    this.#failAll("the loader was closed");
  }

  #start(): Promise<WorkerLink> {
    const failed = (reason: string): void => {
      const message = `the worker failed: ${reason}`;
      this.#failAll(message);
      this.close();
    };
    return startWorker(this.#module, (message) => this.#receive(message as WorkerReply), failed);
  }

  #receive({ id, batch, error }: WorkerReply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiting?.resolve(batch);
    else waiting?.reject(new Error(`DataLoader: a worker could not prepare a batch: ${error}`));
    if (this.#waiting.size === 0) this.#idle = setTimeout(() => this.close(), IDLE_LIMIT);
  }

  #failAll(reason: string): void {
    for (const { reject } of this.#waiting.values()) reject(new Error(`DataLoader: ${reason}`));
    this.#waiting.clear();
  }
}
