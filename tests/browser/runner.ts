/** In the page: runs test files that were written for `deno test`. */

/** What came of a test. */
export interface TestOutcome {
  readonly name: string;
  readonly ignored: boolean;
  /** What went wrong. */
  readonly message?: string | undefined;
}

interface Context {
  step(name: string, fn: () => void | Promise<void>): Promise<void>;
}

interface Test {
  readonly name: string;
  readonly ignore?: boolean;
  fn(context: Context): void | Promise<void>;
}

/** The first step that fails ends its test, and is named. */
const CONTEXT: Context = {
  async step(name, fn) {
    try {
      await fn();
    } catch (error) {
      throw new Error(`${name}: ${textOf(error)}`);
    }
  },
};

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

const registered: Test[] = [];

/** The part of Deno's that test files use. */
export const Deno = {
  test(nameOrTest: string | Test, fn?: Test["fn"]): void {
    registered.push(typeof nameOrTest === "string" ? { name: nameOrTest, fn: fn! } : nameOrTest);
  },
  env: {
    get: (name: string): string | undefined =>
      name === "TENSAURUS_TEST_DEVICE" ? "webgpu" : undefined,
  },
};

/** Runs the tests of a file, one after the other. */
export async function runFile(path: string): Promise<TestOutcome[]> {
  registered.length = 0;
  await import(path);
  const outcomes: TestOutcome[] = [];
  for (const { name, ignore = false, fn } of registered) {
    let message: string | undefined;
    try {
      if (!ignore) await fn(CONTEXT);
    } catch (error) {
      message = textOf(error);
    }
    outcomes.push({ name, ignored: ignore, message });
  }
  return outcomes;
}
