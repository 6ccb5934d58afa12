/**
 * Drives a headless Chromium through its DevTools protocol, and keeps what its pages complain of.
 *
 * @module
 */

/** Names under which Chromium is installed. */
const NAMES = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/**
 * WebGPU on SwiftShader, which Chromium brings; pages composed by the same, without which a canvas of
 * WebGPU cannot be read. Whether the kernel allows a sandbox is no concern of these tests, and neither
 * is a small `/dev/shm`, as containers have it.
 */
const OPTIONS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--use-vulkan=swiftshader",
  "--use-angle=vulkan",
  "--enable-features=Vulkan",
  "--ignore-gpu-blocklist",
  "--remote-debugging-port=0",
];

/** An answer that takes longer, in milliseconds, is a failure: a page that hangs says nothing. */
const PATIENCE = 300_000;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
  readonly sessionId?: string;
}

interface Pending {
  resolve(result: Record<string, unknown>): void;
  reject(error: Error): void;
}

/**
 * Looks for Chromium.
 *
 * @returns Its command, or `undefined` where it is not installed.
 */
export async function findChromium(): Promise<string | undefined> {
  for (const name of NAMES) {
    try {
      const command = new Deno.Command(name, { args: ["--version"] });
      if ((await command.output()).success) return name;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** A running browser. */
export class Chromium {
  readonly #process: Deno.ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #pages = new Map<string, Page>();
  #messages = 0;

  private constructor(process: Deno.ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = () => {
      for (const { reject } of this.#pending.values()) reject(new Error("chromium has ended"));
    };
  }

  /** Starts it with a profile of its own. */
  static async start(command: string): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "tensaurus-chromium-" });
    const process = new Deno.Command(command, {
      args: [...OPTIONS, `--user-data-dir=${profile}`, "about:blank"],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const socket = new WebSocket(await addressOf(process));
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    return new Chromium(process, profile, socket);
  }

  /** Opens a page. */
  async open(url: string): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const attach = { targetId, flatten: true };
    const { sessionId } = await this.send("Target.attachToTarget", attach);
    const page = new Page(this, String(targetId), String(sessionId));
    this.#pages.set(String(sessionId), page);
    await page.load(url);
    return page;
  }

  /** Sends a command, and waits for its answer. */
  send(
    method: string,
    params: Record<string, unknown>,
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#messages;
    return new Promise((resolve, reject) => {
      const late = () => this.#settle(id)?.reject(new Error(`${method}: no answer`));
      const timer = setTimeout(late, PATIENCE);
      this.#pending.set(id, {
        resolve: (result) => (clearTimeout(timer), resolve(result)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  /** Ends it and removes its profile. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.addEventListener("close", resolve));
    await this.send("Browser.close", {});
    await closed;
    await this.#process.status;
    await Deno.remove(this.#profile, { recursive: true });
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #receive({ id, method, params = {}, result = {}, error, sessionId }: Message): void {
    if (id !== undefined) {
      const pending = this.#settle(id);
      if (error) pending?.reject(new Error(error.message));
      else pending?.resolve(result);
      return;
    }
    const page = this.#pages.get(sessionId ?? "");
    if (method === "Target.attachedToTarget" && page) {
      // Threads share the page's list of complaints.
      const worker = String(params.sessionId);
      this.#pages.set(worker, page);
      page.workers++;
      // No answer is awaited: a thread at work does not read messages.
      this.#socket.send(
        JSON.stringify({ id: ++this.#messages, method: "Runtime.enable", sessionId: worker }),
      );
    } else page?.hear(method!, params);
  }
}

/** A page of the browser. */
export class Page {
  readonly #browser: Chromium;
  readonly #target: string;
  readonly #session: string;
  #loaded: (() => void) | undefined;
  /** Errors and warnings of the console, and exceptions that nobody caught. */
  readonly complaints: string[] = [];
  /** Threads that it started. */
  workers = 0;

  /** What {@linkcode Chromium.open} returns. */
  constructor(browser: Chromium, target: string, session: string) {
    this.#browser = browser;
    this.#target = target;
    this.#session = session;
  }

  /** Goes to an address. */
  async load(url: string): Promise<void> {
    for (const domain of ["Runtime", "Log", "Page"]) await this.#send(`${domain}.enable`, {});
    const threads = { autoAttach: true, waitForDebuggerOnStart: false, flatten: true };
    await this.#send("Target.setAutoAttach", threads);
    const loaded = new Promise<void>((resolve) => this.#loaded = resolve);
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await loaded;
  }

  /**
   * Calls an exported function of a module in the page.
   *
   * @param module Its path on the server.
   * @param name Name of the function.
   * @param args Values that JSON can hold.
   * @returns The same of its result.
   */
  async call<T>(module: string, name: string, ...args: readonly unknown[]): Promise<T> {
    const list = args.map((argument) => JSON.stringify(argument)).join(", ");
    const expression = `import("${module}").then((m) => m.${name}(${list}))`;
    const options = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", options);
    if (exceptionDetails) throw new Error(textOf(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Closes it. */
  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.#target });
  }

  /** Takes note of an event. */
  hear(method: string, params: Record<string, unknown>): void {
    if (method === "Page.loadEventFired") this.#loaded?.();
    if (method === "Runtime.exceptionThrown") this.complaints.push(textOf(params.exceptionDetails));
    if (method === "Log.entryAdded") {
      const { level, text } = params.entry as { level: string; text: string };
      if (level === "error" || level === "warning") this.complaints.push(text);
    }
    if (method === "Runtime.consoleAPICalled") {
      const { type, args } = params as { type: string; args: RemoteValue[] };
      if (type === "error" || type === "warning") {
        this.complaints.push(args.map((x) => String(x.value ?? x.description)).join(" "));
      }
    }
  }

  #send(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }
}

interface RemoteValue {
  readonly value?: unknown;
  readonly description?: string;
}

function textOf(details: unknown): string {
  const { text, exception } = details as { text: string; exception?: RemoteValue };
  return exception?.description ?? String(exception?.value ?? text);
}

/** Where Chromium listens, as it says on standard error. The rest of that is dropped. */
async function addressOf(process: Deno.ChildProcess): Promise<string> {
  const reader = process.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`chromium ended at once:\n${text}`);
    text += value;
    const address = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
    if (address === undefined) continue;
    void drain(reader);
    return address;
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}
