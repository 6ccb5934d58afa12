/** Runs the cases of `model.ddpm`: the arithmetic of Ho et al. 2020. */
import { type DeviceName, tensor } from "../../ops/mod.ts";
import { Diffusion } from "../../models/ddpm/diffusion.ts";
import { betasOf, Process } from "../../models/ddpm/schedule.ts";
import { type CaseFile, decodeTensor, type EncodedTensor, type Outcome } from "./cases.ts";
import { Comparison } from "./compare.ts";

interface Row {
  readonly t: number;
  readonly alphaBar: number;
  readonly beta: number;
  readonly posteriorVariance: number;
  readonly xt: EncodedTensor;
  readonly posteriorMean: EncodedTensor;
  readonly meanFromEps: EncodedTensor;
}

/** Runs one case: T = 1000, linear schedule, an image and its noise at some steps. */
export async function run(file: CaseFile, index: number, _device: DeviceName): Promise<Outcome> {
  const test = file.cases[index]!;
  const process = new Process(betasOf("linear", 1000));
  const diffusion = new Diffusion(process);
  const x0 = decodeTensor(test.x0 as EncodedTensor), eps = decodeTensor(test.eps as EncodedTensor);
  const comparison = new Comparison(file.name);
  for (const row of test.rows as Row[]) {
    for (const name of ["alphaBar", "beta", "posteriorVariance"] as const) {
      comparison.numbers(`t ${row.t}: ${name}`, [process[name][row.t]!], [row[name]]);
    }
    const t = tensor(new Array(x0.shape[0]!).fill(row.t), { dtype: "int32" });
    const xt = diffusion.qSample(x0, t, eps);
    const image = diffusion.toX0(eps, xt, t);
    await comparison.value(`t ${row.t}: xt`, xt, row.xt);
    const mean = diffusion.posteriorMean(x0, xt, t);
    await comparison.value(`t ${row.t}: posteriorMean`, mean, row.posteriorMean);
    const fromEps = diffusion.posteriorMean(image, xt, t);
    await comparison.value(`t ${row.t}: meanFromEps`, fromEps, row.meanFromEps);
  }
  return comparison.outcome;
}
