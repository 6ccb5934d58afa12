/**
 * The classifier of models/cnn.ts, which says what it sees in samples.
 *
 * @module
 */
import { compile, type CompiledFunction, noGrad, type Tensor, tensor } from "@tensaurus/core";
import { Compose, Grayscale, type Image, Normalize, Resize, ToTensor } from "@tensaurus/core/data";
import * as nn from "@tensaurus/core/nn";
import { Net } from "../cnn.ts";
import type { Picture } from "../kit/picture.ts";
import { type Checkpoint, findCheckpoint, savedConfig } from "../kit/run_folder.ts";
import { UsageError } from "../kit/settings.ts";
import { loadWeights } from "../kit/state.ts";

/** Images that the classifier sees at once. */
const BATCH = 100;

/** What it was trained to tell apart. */
const CLASSES = "0123456789";

/** What the judge needs to know of the run that trained it. */
interface JudgeSettings {
  imageSize: number;
  classes: number;
  dropout: number;
  mean: number;
  deviation: number;
}

/** What the judge says about each image. */
export interface Verdict {
  /** Likeliest class. */
  labels: number[];
  /** Features before the last layer. */
  features: Float32Array[];
}

/** The classifier of models/cnn.ts. */
export class Judge {
  readonly #transform: Compose;
  readonly #look: CompiledFunction<[x: Tensor], { labels: Tensor; features: Tensor }>;

  private constructor(net: Net, { imageSize, mean, deviation }: JudgeSettings) {
    this.#transform = new Compose([
      new Grayscale(3),
      new Resize([imageSize, imageSize]),
      new ToTensor(),
      new Normalize([mean, mean, mean], [deviation, deviation, deviation]),
    ]);
    net.eval();
    let hidden: Tensor;
    net.fc1.registerForwardHook((_, output) => void (hidden = output as Tensor));
    this.#look = compile((x: Tensor) =>
      noGrad(() => {
        const labels = net.forward(x).argmax(1); // [N]
        return { labels, features: nn.functional.relu(hidden) }; // [N, 512]
      }), { name: "judge" });
  }

  /**
   * A trained classifier.
   *
   * @param checkpoint A run of models/cnn.ts, or `last`.
   * @returns The judge.
   * @throws {UsageError} If there is none.
   */
  static async open(checkpoint: string): Promise<Judge> {
    const found = await findJudge(checkpoint);
    const settings = await savedConfig(found) as unknown as JudgeSettings;
    const net = new Net(settings);
    await loadWeights(`${found.path}/model.safetensors`, net);
    return new Judge(net, settings);
  }

  /** A classifier that was never trained, to try the program out. */
  static untrained(): Judge {
    const settings = { imageSize: 28, classes: 10, dropout: 0, mean: 0.1307, deviation: 0.3081 };
    return new Judge(new Net(settings), settings);
  }

  /** Looks at images. */
  async look(images: readonly (Image | Picture)[]): Promise<Verdict> {
    const labels: number[] = [], features: Float32Array[] = [];
    for (let start = 0; start < images.length; start += BATCH) {
      const batch = images.slice(start, start + BATCH);
      const count = batch.length;
      // The last batch is filled up, so that there is one plan.
      while (batch.length < BATCH && images.length > BATCH) batch.push(batch[0]!);
      const arrays = batch.map((image) => this.#transform.forward(image as Image));
      const shape = [batch.length, ...arrays[0]!.shape];
      const values = new Float32Array(shape.reduce((n, s) => n * s, 1));
      for (const [i, { data }] of arrays.entries()) {
        values.set(data as Float32Array, i * data.length);
      }
      const verdict = this.#look(tensor(values, { shape }));
      labels.push(...[...await verdict.labels.data()].slice(0, count));
      const flat = await verdict.features.data() as Float32Array;
      const width = flat.length / batch.length;
      for (let i = 0; i < count; i++) features.push(flat.slice(i * width, (i + 1) * width));
    }
    return { labels, features };
  }
}

async function findJudge(checkpoint: string): Promise<Checkpoint> {
  try {
    return await findCheckpoint(checkpoint, { name: "cnn" });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const why = error.message.replace("--resume: ", "");
    throw new UsageError(`--classifier: ${why} (deno run -A models/cnn.ts trains one)`);
  }
}

/** What {@linkcode openJudge} reads of the settings. */
export interface JudgedSettings {
  /** A run of models/cnn.ts, or `last`. */
  classifier: string;
  /** Accuracy below which the script fails; 0 expects nothing. */
  expect: number;
  /** Whether the program is only tried out. */
  dryRun: boolean;
}

/**
 * The classifier, or none where it knows other classes, or where there is none and nobody needs it.
 *
 * @param settings Which one, and what is expected of the samples.
 * @param classes Classes of the images.
 * @param required Whether to fail where no classifier is found.
 * @returns The judge.
 * @throws {UsageError} If there is none and it is required, or something is expected.
 */
export async function openJudge(
  settings: JudgedSettings,
  classes: readonly string[],
  required = false,
): Promise<Judge | undefined> {
  const { classifier, expect, dryRun } = settings;
  if (dryRun) return Judge.untrained();
  if (classes.join("") !== CLASSES) {
    if (expect > 0) {
      throw new UsageError("--expect: the classifier of models/cnn.ts knows the ten digits alone");
    }
    return undefined;
  }
  try {
    return await Judge.open(classifier);
  } catch (error) {
    if (!(error instanceof UsageError) || required || expect > 0) throw error;
    console.log(`no figures  ${error.message}`);
    return undefined;
  }
}
