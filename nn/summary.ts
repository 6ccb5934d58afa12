import { type DeviceName, type DType, noGrad, Tensor, zeros } from "../ops/mod.ts";
import type { Module } from "./module.ts";

/** One module of a summary. */
export interface SummaryRow {
  /** Path of the module; empty for the model itself. */
  readonly name: string;
  /** Name of its class. */
  readonly type: string;
  /** Shapes of what it gave: `[64, 10]`; empty if it did not run. */
  readonly output: string;
  /** Number of its own parameters, without those of modules below. */
  readonly parameters: number;
}

/** Options of {@linkcode summary}. */
export interface SummaryOptions {
  /** Element type of the input. @default "float32" */
  dtype?: DType | undefined;
  /** Device of the input. @default that of the parameters */
  device?: DeviceName | undefined;
}

/** What {@linkcode summary} gives; as text, a table. */
export class Summary {
  /** Modules in the order of their paths. */
  readonly rows: readonly SummaryRow[];
  /** Number of all parameters; shared ones count once. */
  readonly parameters: number;
  /** Number of parameters that are trained. */
  readonly trainable: number;

  /**
   * Makes the summary.
   *
   * @param rows Modules.
   * @param parameters Number of all parameters.
   * @param trainable Number of those that are trained.
   */
  constructor(rows: readonly SummaryRow[], parameters: number, trainable: number) {
    this.rows = rows;
    this.parameters = parameters;
    this.trainable = trainable;
  }

  /** The table. */
  toString(): string {
    const head = ["layer", "output", "parameters"];
    const body = this.rows.map(({ name, type, output, parameters }) => {
      const depth = name ? name.split(".").length : 0;
      const label = name ? `${name.split(".").at(-1)} (${type})` : type;
      return [`${"  ".repeat(depth)}${label}`, output, count(parameters)];
    });
    const widths = head.map((text, i) =>
      Math.max(text.length, ...body.map((row) => row[i]!.length))
    );
    const line = (row: readonly string[]) =>
      row.map((text, i) => i === 2 ? text.padStart(widths[i]!) : text.padEnd(widths[i]!))
        .join("  ").trimEnd();
    const rule = "-".repeat(widths.reduce((a, b) => a + b + 2, -2));
    const total = `parameters: ${count(this.parameters)}, trained: ${count(this.trainable)}`;
    return [line(head), rule, ...body.map(line), rule, total].join("\n");
  }

  /** What Deno prints. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }

  /** What Node prints. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function shapesIn(value: unknown): string[] {
  if (value instanceof Tensor) return [`[${value.shape.join(", ")}]`];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(shapesIn);
}

/**
 * Modules of a model with the shapes of their results and their numbers of parameters. Runs the
 * model once in evaluation mode on zeros.
 *
 * @param model The model.
 * @param inputShape Shape of its input, the batch included.
 * @param options Element type and device of the input.
 * @returns The rows; printed, a table.
 *
 * @example
 * ```ts
 * import { Linear, ReLU, Sequential, summary } from "@tensaurus/core/nn";
 * import { assertEquals } from "@std/assert";
 *
 * const model = new Sequential(new Linear(4, 8), new ReLU(), new Linear(8, 2));
 * const { parameters, rows } = summary(model, [1, 4]);
 * assertEquals([parameters, rows[1]!.output], [58, "[1, 8]"]);
 * ```
 */
export function summary(
  model: Module & { forward(x: Tensor): unknown },
  inputShape: readonly number[],
  options: SummaryOptions = {},
): Summary {
  const modules = model.namedModules();
  const modes = modules.map(([, module]) => module.training);
  const outputs = new Map<Module, string>();
  const remove = modules.map(([, module]) =>
    module.registerForwardHook((_, output) => void outputs.set(module, shapesIn(output).join(", ")))
  );
  const parameters = model.parameters();
  const device = options.device ?? parameters[0]?.device;
  try {
    model.eval();
    noGrad(() => model.forward(zeros(inputShape, { dtype: options.dtype, device })));
  } finally {
    for (const take of remove.reverse()) take();
    for (const [i, [, module]] of modules.entries()) module.training = modes[i]!;
  }
  const rows = modules.map(([name, module]): SummaryRow => {
    const own = [...module.members()].flatMap(([, x]) => x instanceof Tensor ? [x] : []);
    const trained = own.filter((x) => parameters.includes(x as typeof parameters[number]));
    return {
      name,
      type: module.constructor.name,
      output: outputs.get(module) ?? "",
      parameters: trained.reduce((n, p) => n + p.numel, 0),
    };
  });
  const total = parameters.reduce((n, p) => n + p.numel, 0);
  const frozen = parameters.filter((p) => !p.requiresGrad).reduce((n, p) => n + p.numel, 0);
  return new Summary(rows, total, total - frozen);
}
