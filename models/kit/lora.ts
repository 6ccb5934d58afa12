/**
 * Fine-tuning with few numbers: LoRA (Hu et al. 2021, "LoRA: low-rank adaptation of large language
 * models"). A frozen linear layer gets a product of two thin matrices beside it, and they alone are
 * trained.
 *
 * @module
 */
import { linear, type Tensor, zeros } from "@tensaurus/core";
import { loadTensors, saveTensors } from "@tensaurus/core/data";
import * as nn from "@tensaurus/core/nn";

/** Settings of the adapters. */
export interface LoraOptions {
  /** Width of the thin matrices. */
  rank: number;
  /** The product counts `alpha / rank` times. */
  alpha: number;
}

/** A linear layer that stays as it is, and what is learned beside it. */
export class LoraLinear extends nn.Linear {
  /** First matrix `[rank, inFeatures]`. */
  lora_A: nn.Parameter;
  /** Second matrix `[outFeatures, rank]`; zeros at first, so that nothing changes. */
  lora_B: nn.Parameter;
  readonly #scale: number;

  /**
   * @param base The layer; its weights are taken over and frozen.
   * @param options Rank and scale.
   */
  constructor(base: nn.Linear, { rank, alpha }: LoraOptions) {
    super(base.inFeatures, base.outFeatures, { bias: false });
    this.weight = base.weight;
    this.bias = base.bias;
    this.requiresGrad_(false);
    this.lora_A = new nn.Parameter(zeros([rank, base.inFeatures]));
    this.lora_B = new nn.Parameter(zeros([base.outFeatures, rank]));
    nn.init.kaimingUniform_(this.lora_A, { slope: Math.sqrt(5) });
    this.#scale = alpha / rank;
  }

  /** `x Wᵀ + b + alpha / rank · x Aᵀ Bᵀ`. */
  override forward(x: Tensor): Tensor {
    const thin = linear(x, this.lora_A).mul(this.#scale); // [… , rank]
    return super.forward(x).add(linear(thin, this.lora_B));
  }

  /** The weight with the product added, `[outFeatures, inFeatures]`. */
  merged(): Tensor {
    return this.weight.add(this.lora_B.matmul(this.lora_A).mul(this.#scale)).detach();
  }
}

/**
 * Freezes a model and puts adapters beside the linear layers of some of its parts.
 *
 * @param model The model.
 * @param parts Modules whose linear layers get adapters.
 * @param options Rank and scale.
 */
export function addLora(model: nn.Module, parts: Iterable<nn.Module>, options: LoraOptions): void {
  model.requiresGrad_(false);
  for (const part of parts) {
    const fields = part as unknown as Record<string, unknown>;
    for (const [name, value] of Object.entries(fields)) {
      if (value instanceof nn.Linear) fields[name] = new LoraLinear(value, options);
    }
  }
}

/** The state of a model without adapters: their products are added to the weights. */
export function mergedState(model: nn.Module): nn.StateDict {
  const state = model.stateDict();
  for (const [name, module] of model.namedModules()) {
    if (module instanceof LoraLinear) state[`${name}.weight`] = module.merged();
  }
  return Object.fromEntries(Object.entries(state).filter(([key]) => !isAdapter(key)));
}

/**
 * Saves the adapters alone.
 *
 * @param path A safetensors file.
 * @param model The model.
 * @param options Rank and scale, as metadata.
 */
export async function saveAdapters(
  path: string,
  model: nn.Module,
  { rank, alpha }: LoraOptions,
): Promise<void> {
  const adapters = Object.entries(model.stateDict()).filter(([key]) => isAdapter(key));
  await saveTensors(path, adapters, { format: "pt", rank: `${rank}`, alpha: `${alpha}` });
}

/**
 * Loads adapters into a model that has some of the same sizes.
 *
 * @param path A file that {@linkcode saveAdapters} wrote.
 * @param model The model.
 * @throws {Error} If adapters are missing or belong to no layer.
 */
export async function loadAdapters(path: string, model: nn.Module): Promise<void> {
  const own = Object.entries(model.stateDict()).filter(([key]) => !isAdapter(key));
  model.loadStateDict([...own, ...await loadTensors(path)]);
}

function isAdapter(key: string): boolean {
  return key.endsWith(".lora_A") || key.endsWith(".lora_B");
}
