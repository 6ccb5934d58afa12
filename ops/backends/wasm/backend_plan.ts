/**
 * Kernels bound to arrays: as jobs for the pool, with argument blocks in the memory.
 *
 * @module
 */
import type { Binding, Dispatch, KernelTiming, PreparedPlan } from "../backend.ts";
import { bytesOf } from "../../ir/dtype.ts";
import type { Kernel } from "../../ir/kernel.ts";
import type { Program, ProgramPass } from "./backend_compile.ts";
import type { PlanPass } from "./emit_nest.ts";
import { BoundPlan, type KernelCache, type KernelPlan } from "./kernel_plan.ts";
import type { WasmMemory } from "./memory.ts";
import type { WideProbe } from "./wide.ts";
import type { Job, JobList, WorkerPool } from "./workers.ts";

/** What all kernels of a backend share. */
export interface Machine {
  readonly memory: WasmMemory;
  readonly pool: WorkerPool;
  readonly cache: KernelCache;
  readonly wide: WideProbe;
}

/** A kernel with its code. */
export interface Coded {
  readonly kernel: Kernel;
  readonly program: Program;
}

/** Addresses of a kernel's arrays: bindings, then scratch. */
export function addressesOf(
  kernel: Kernel,
  bindings: readonly Binding[],
  scratch: readonly number[],
  addressOf: (binding: Binding) => number,
): number[] {
  const inputs = kernel.inputs.length;
  const own = bindings.map((binding, i) => {
    const array = i < inputs ? kernel.inputs[i]! : kernel.outputs[i - inputs]!;
    return addressOf(binding) + binding.offset * bytesOf(array.dtype);
  });
  return [...own, ...scratch];
}

/** Operands of a planned pass by name. */
export function operandsOf(
  pass: PlanPass,
  args: number,
  addresses: readonly number[],
  bindings: number,
): Record<string, number> {
  const operands: Record<string, number> = {};
  for (const [name, place] of Object.entries(pass.places)) {
    if (place === "args") operands[name] = args;
    else if ("slot" in place) operands[name] = addresses[place.slot]! + (place.bytes ?? 0);
    else operands[name] = addresses[bindings + place.scratch]!;
  }
  return operands;
}

type Step =
  | { readonly list: JobList; readonly direct?: undefined }
  | { readonly list?: undefined; readonly direct: () => void };

/** Part of a plan: jobs that run as one list, cut where JavaScript must run in between. */
class Steps {
  readonly steps: Step[] = [];
  readonly #pool: WorkerPool;
  #jobs: Job[] = [];

  constructor(pool: WorkerPool) {
    this.#pool = pool;
  }

  add(pass: ProgramPass, args: number): void {
    const { direct, units, kernel, grain } = pass;
    if (direct) {
      this.flush();
      this.steps.push({ direct: () => direct(args, 0, units, 0) });
    } else if (units > 0) this.#jobs.push({ kernel, args, tasks: units, grain });
  }

  addJobs(jobs: readonly Job[]): void {
    for (const job of jobs) this.#jobs.push(job);
  }

  flush(): void {
    if (this.#jobs.length > 0) this.steps.push({ list: this.#pool.list(this.#jobs) });
    this.#jobs = [];
  }
}

/** All kernels of a plan, bound once. */
export class WasmPlan implements PreparedPlan {
  readonly #machine: Machine;
  readonly #timing: () => ((timing: KernelTiming) => void) | undefined;
  readonly #blocks: number[] = [];
  readonly #bound: BoundPlan[] = [];
  readonly #steps: Step[];
  readonly #bind: (into: (dispatch: number) => Steps) => void;
  /** Steps of each kernel apart, made when timing is first asked for. */
  #timed: { readonly label: string; readonly steps: readonly Step[] }[] | undefined;

  constructor(
    machine: Machine,
    dispatches: readonly Dispatch[],
    coded: readonly Coded[],
    addressOf: (binding: Binding) => number,
    timing: () => ((timing: KernelTiming) => void) | undefined,
  ) {
    this.#machine = machine;
    this.#timing = timing;
    const scratch = this.#scratch(coded);
    const addresses = dispatches.map(({ kernel, bindings }, i) => {
      const own = coded[i]!.program.scratch.map((_, j) => scratch[j]!);
      return addressesOf(kernel, bindings, own, addressOf);
    });
    const repeated = findRepeated(dispatches, coded, addresses);
    const bound = dispatches.map(({ bindings }, i) =>
      this.#bindKernel(coded[i]!.program, addresses[i]!, bindings.length, repeated[i])
    );
    this.#bind = (into) => bound.forEach((add, i) => add(into(i)));
    const all = new Steps(machine.pool);
    this.#bind(() => all);
    all.flush();
    this.#steps = all.steps;
    this.#labels = dispatches.map(({ kernel }) => labelOf(kernel));
  }

  readonly #labels: readonly string[];

  run(): void {
    this.#machine.wide.poll();
    const onTiming = this.#timing();
    if (onTiming) return this.#runTimed(onTiming);
    this.#runSteps(this.#steps);
  }

  dispose(): void {
    const { memory, pool } = this.#machine;
    for (const block of this.#blocks.splice(0)) memory.free(block);
    for (const bound of this.#bound.splice(0)) bound.free();
    const all = [this.#steps, ...(this.#timed ?? []).map((t) => [...t.steps])];
    for (const steps of all) {
      for (const step of steps.splice(0)) if (step.list) pool.release(step.list);
    }
    this.#timed = undefined;
  }

  #runSteps(steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.list) this.#machine.pool.replay(step.list);
      else step.direct();
    }
  }

  #runTimed(onTiming: (timing: KernelTiming) => void): void {
    if (this.#timed === undefined) {
      const parts = this.#labels.map(() => new Steps(this.#machine.pool));
      this.#bind((i) => parts[i]!);
      for (const part of parts) part.flush();
      this.#timed = parts.map(({ steps }, i) => ({ label: this.#labels[i]!, steps }));
    }
    for (const { label, steps } of this.#timed) {
      const start = performance.now();
      this.#runSteps(steps);
      onTiming({ label, milliseconds: performance.now() - start });
    }
  }

  /** Writes a kernel's argument blocks; the result adds its jobs to a list. */
  #bindKernel(
    program: Program,
    addresses: readonly number[],
    bindings: number,
    repeated: Repeated | undefined,
  ): (steps: Steps) => void {
    const { memory, cache } = this.#machine;
    const args = this.#block(4 * Math.max(1, addresses.length));
    memory.view(args, addresses.length, "u32").set(addresses);
    const parts = program.passes.map((pass): (steps: Steps) => void => {
      if (!("plan" in pass)) return (steps) => steps.add(pass, args);
      const operands = operandsOf(pass, args, addresses, bindings);
      if (repeated && pass.repeated) return this.#bindRepeated(pass.repeated, operands, repeated);
      const bound = new BoundPlan(pass.plan, memory, cache, operands);
      this.#bound.push(bound);
      return (steps) => steps.addJobs(bound.jobs);
    });
    return (steps) => parts.forEach((add) => add(steps));
  }

  /** The same with an operand that is packed once; the first of them brings the packing. */
  #bindRepeated(
    plan: NonNullable<PlanPass["repeated"]>,
    operands: Record<string, number>,
    repeated: Repeated,
  ): (steps: Steps) => void {
    const { memory, cache } = this.#machine;
    const jobs: Job[] = [];
    const bind = (part: KernelPlan) => {
      const bound = new BoundPlan(part, memory, cache, { ...operands, ahead: repeated.address! });
      this.#bound.push(bound);
      jobs.push(...bound.jobs);
    };
    if (repeated.address === undefined) {
      repeated.address = this.#block(plan.ahead.bytes);
      bind({ ...plan, jobs: plan.ahead.jobs });
    }
    bind(plan);
    return (steps) => steps.addJobs(jobs);
  }

  #block(bytes: number): number {
    const address = this.#machine.memory.alloc(bytes);
    this.#blocks.push(address);
    return address;
  }

  /** Scratch arrays, shared by all kernels of the plan: the j-th of each in one place. */
  #scratch(coded: readonly Coded[]): number[] {
    const sizes: number[] = [];
    for (const { program } of coded) {
      program.scratch.forEach((bytes, j) => sizes[j] = Math.max(sizes[j] ?? 0, bytes));
    }
    return sizes.map((bytes) => this.#block(bytes));
  }
}

/** Dispatches of one kernel that read the same operand, which nothing writes in between. */
interface Repeated {
  /** Where the operand lies packed, once the first of them is bound. */
  address: number | undefined;
}

/** By dispatch, the group that it belongs to. */
function findRepeated(
  dispatches: readonly Dispatch[],
  coded: readonly Coded[],
  addresses: readonly (readonly number[])[],
): (Repeated | undefined)[] {
  const groups = new Map<string, number[]>();
  const numbers = new Map<Program, number>();
  coded.forEach(({ program }, i) => {
    const slot = repeatedSlot(program);
    if (slot === undefined) return;
    if (!numbers.has(program)) numbers.set(program, numbers.size);
    const key = `${numbers.get(program)} ${addresses[i]![slot]}`;
    groups.set(key, [...groups.get(key) ?? [], i]);
  });
  const found = new Array<Repeated | undefined>(dispatches.length).fill(undefined);
  for (const members of groups.values()) {
    const [first, last] = [members[0]!, members[members.length - 1]!];
    if (members.length < 2) continue;
    const { buffer } = dispatches[first]!.bindings[repeatedSlot(coded[first]!.program)!]!;
    // Whoever writes to the buffer at all is taken to write to the operand.
    const written = dispatches.slice(first, last).some(({ kernel, bindings }) =>
      bindings.slice(kernel.inputs.length).some((b) => b.buffer === buffer)
    );
    if (written) continue;
    const repeated: Repeated = { address: undefined };
    for (const i of members) found[i] = repeated;
  }
  return found;
}

/** The binding that a kernel's only pass can have packed ahead. */
function repeatedSlot(program: Program): number | undefined {
  const pass = program.passes[0];
  if (program.passes.length !== 1 || !pass || !("plan" in pass) || !pass.repeated) return undefined;
  const place = pass.places[pass.repeated.ahead.source];
  return typeof place === "object" && "slot" in place && !place.bytes ? place.slot : undefined;
}

/** What a kernel is called in timings. */
export function labelOf(kernel: Kernel): string {
  return kernel.kind;
}
