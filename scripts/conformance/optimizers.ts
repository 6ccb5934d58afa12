/** Runs cases of optimizers, schedulers and clipping. */
import { type DeviceName, type Tensor, zeros } from "../../ops/mod.ts";
import * as optim from "../../optim/mod.ts";
import { type Case, type CaseFile, decode, decodeTensor, type EncodedTensor } from "./cases.ts";
import type { Outcome } from "./cases.ts";
import { Comparison } from "./compare.ts";

type Settings = Readonly<Record<string, unknown>>;
type AnyOptimizer = new (params: Iterable<Tensor>, settings: Settings) => optim.Optimizer;
type Scheduler = optim.LRScheduler | optim.ReduceLROnPlateau;

function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function settingsOf(kwargs: unknown): Settings {
  const entries = Object.entries(decode(kwargs) as Settings);
  return Object.fromEntries(entries.map(([name, value]) => [camelCase(name), value]));
}

async function runOptimizer(label: string, test: Case): Promise<Outcome> {
  const kind = (optim as unknown as Record<string, AnyOptimizer>)[String(test.optimizer)];
  if (!kind) throw new Error(`no optimizer "${test.optimizer}"`);
  const initial = (test.init as EncodedTensor[]).map(decodeTensor);
  const params = initial.map((x) => x.setRequiresGrad());
  const optimizer = new kind(params, settingsOf(test.kwargs));
  const comparison = new Comparison(label);
  for (const [step, grads] of (test.grads as EncodedTensor[][]).entries()) {
    for (const [i, p] of params.entries()) p.grad = decodeTensor(grads[i]!);
    optimizer.step();
    for (const [i, p] of params.entries()) {
      const wanted = (test.after as EncodedTensor[][])[step]![i];
      await comparison.value(`${test.optimizer}: parameter ${i} after step ${step}`, p, wanted);
    }
  }
  return comparison.outcome;
}

/** Schedulers with the arguments that stay positional here. */
const SCHEDULERS: Record<string, (o: optim.ScheduledOptimizer, s: Settings) => Scheduler> = {
  StepLR: (o, s) => new optim.StepLR(o, Number(s.stepSize), s),
  MultiStepLR: (o, s) => new optim.MultiStepLR(o, s.milestones as number[], s),
  ExponentialLR: (o, s) => new optim.ExponentialLR(o, Number(s.gamma)),
  CosineAnnealingLR: (o, s) => new optim.CosineAnnealingLR(o, Number(s.TMax), s),
  CosineAnnealingWarmRestarts: (o, s) =>
    new optim.CosineAnnealingWarmRestarts(o, Number(s.T0), {
      ...s,
      ...(s.TMult === undefined ? {} : { tMult: Number(s.TMult) }),
    }),
  LinearLR: (o, s) => new optim.LinearLR(o, s),
  ConstantLR: (o, s) => new optim.ConstantLR(o, s),
  PolynomialLR: (o, s) => new optim.PolynomialLR(o, s),
  OneCycleLR: (o, s) => new optim.OneCycleLR(o, s.maxLr as number, s),
  CyclicLR: (o, s) => new optim.CyclicLR(o, Number(s.baseLr), Number(s.maxLr), s),
  ReduceLROnPlateau: (o, s) => new optim.ReduceLROnPlateau(o, s),
};

function runScheduler(label: string, test: Case): Outcome {
  const make = SCHEDULERS[String(test.scheduler)];
  if (!make) throw new Error(`no scheduler "${test.scheduler}"`);
  const settings = { lr: Number(test.lr), momentum: 0.9 };
  const optimizer = new optim.SGD([zeros([1]).setRequiresGrad()], settings);
  const scheduler = make(optimizer, settingsOf(test.kwargs));
  const wanted = test.lrs as number[];
  const lrs = [optimizer.paramGroups[0]!.lr];
  for (let step = 1; step < wanted.length; step++) {
    if (scheduler instanceof optim.ReduceLROnPlateau) {
      scheduler.step((test.metrics as number[])[step - 1]!);
    } else scheduler.step();
    lrs.push(optimizer.paramGroups[0]!.lr);
  }
  const comparison = new Comparison(label);
  comparison.numbers(`${test.scheduler}: lr`, lrs, wanted);
  return comparison.outcome;
}

async function runClip(label: string, test: Case): Promise<Outcome> {
  const grads = Object.entries(test.grads as Record<string, EncodedTensor>);
  const params = grads.map(([, grad]) => {
    const p = zeros(grad.$t).setRequiresGrad();
    p.grad = decodeTensor(grad);
    return p;
  });
  const norm = optim.clipGradNorm(params, Number(test.maxNorm));
  const comparison = new Comparison(label);
  comparison.numbers("totalNorm", [await norm!.item()], [Number(test.totalNorm)]);
  for (const [i, [name]] of grads.entries()) {
    const wanted = (test.clipped as Record<string, EncodedTensor>)[name];
    await comparison.value(name, params[i]!.grad, wanted);
  }
  return comparison.outcome;
}

/** Runs one case. */
export async function run(file: CaseFile, index: number, _device: DeviceName): Promise<Outcome> {
  const test = file.cases[index]!;
  if ("optimizer" in test) return await runOptimizer(file.name, test);
  if ("scheduler" in test) return runScheduler(file.name, test);
  return await runClip(file.name, test);
}
