/**
 * The course's convolutional network on MNIST.
 *
 * Architecture: 3×3 convolutions 3 → 32 → 64, max pooling, → 128, max pooling, two fully connected
 * layers with dropout before both (LeCun et al. 1998, "Gradient-based learning applied to document
 * recognition", with ReLU, dropout (Srivastava et al. 2014) and Adam (Kingma & Ba 2015)).
 *
 * Data: the 60,000 + 10,000 digits as 48×48 images of three channels, rotated by up to 10° and with
 * brightness and contrast changed by up to 20 %.
 *
 * The README has what it reaches, and in what time.
 *
 * ```sh
 * deno run -A models/cnn.ts                       # the course's run: 5 epochs
 * deno run -A models/cnn.ts train --preset quick  # about a minute on two cores
 * deno run -A models/cnn.ts eval runs/cnn-1
 * deno run -A models/cnn.ts predict digit.png --resume runs/cnn-1
 * ```
 *
 * @module
 */
import {
  compile,
  manualSeed,
  noGrad,
  setDetectAnomaly,
  type Tensor,
  tensor,
  topk,
  zeros,
} from "@tensaurus/core";
import * as nn from "@tensaurus/core/nn";
import * as optim from "@tensaurus/core/optim";
import {
  classificationReport,
  ColorJitter,
  Compose,
  confusionMatrix,
  DataLoader,
  Grayscale,
  type Image,
  type LabeledImages,
  type LoaderState,
  loadMnist,
  Normalize,
  RandomRotation,
  Resize,
  Subset,
  ToTensor,
} from "@tensaurus/core/data";
import { commandLine, type Parsed, resumeConfig, type Script, UsageError } from "./kit/config.ts";
import { openDevice } from "./kit/device.ts";
import { expectAtLeast } from "./kit/expect.ts";
import { runMain } from "./kit/main.ts";
import { decodePicture, encodePng, grid, withoutAlpha } from "./kit/picture.ts";
import { TrainingRun } from "./kit/run.ts";
import { type Checkpoint, findCheckpoint, type RunFolder, savedConfig } from "./kit/run_folder.ts";
import { checkpointFiles, loadCheckpoint, loadWeights } from "./kit/state.ts";

const F = nn.functional;

// ---------------------------------------------------------------------------------------- settings

const config = {
  data: "",
  imageSize: 48,
  trainImages: 60_000,
  testImages: 10_000,
  rotation: 10,
  jitter: 0.2,
  mean: 0.1307,
  deviation: 0.3081,
  classes: 10,
  dropout: 0.5,
  epochs: 5,
  steps: 0,
  batchSize: 64,
  lr: 1e-3,
  weightDecay: 1e-4,
  seed: 0,
  device: "auto",
  paired: true,
  out: "",
  resume: "",
  logEvery: 50,
  saveEvery: 500,
  dryRun: false,
  overfitBatch: false,
  detectNan: false,
  expect: 0,
  preset: "",
};

type Config = typeof config;

/** What the weights of a run were learned with. */
const FIXED = ["imageSize", "classes", "mean", "deviation"] as const;

/** Settings, presets and commands of this script. */
export const script: Script<Config> = {
  name: "models/cnn.ts",
  about: "A convolutional network on MNIST: the course's run, or a quick one with --preset quick.",
  config,
  describe: {
    data: "Folder with the four IDX files; empty takes them from the package",
    imageSize: "Side to which the digits are resized",
    trainImages: "Training images that are used, from the first on",
    testImages: "Test images that are used, from the first on",
    rotation: "Largest random rotation, in degrees",
    jitter: "Largest change of brightness and contrast, as a fraction",
    mean: "Subtracted from pixels between 0 and 1",
    deviation: "Divides them afterwards",
    classes: "Number of classes",
    dropout: "Probability of dropping an input of a fully connected layer",
    weightDecay: "L2 penalty, as Adam adds it to the gradient",
    steps: "Training steps; 0 goes by epochs",
    detectNan: "Check every operation, and name the first that gives a NaN (slow)",
  },
  limits: {
    imageSize: { min: 4, integer: true },
    trainImages: { min: 1, integer: true },
    testImages: { min: 1, integer: true },
    rotation: { min: 0, max: 180 },
    jitter: { min: 0, max: 1 },
    deviation: { min: 1e-6 },
    classes: { min: 2, integer: true },
    dropout: { min: 0, max: 0.999 },
    steps: { min: 0, integer: true },
    weightDecay: { min: 0 },
  },
  presets: {
    // A third of the images, once: enough for 97 %, in about a minute on two cores.
    quick: { trainImages: 19_200, epochs: 1, logEvery: 25, expect: 0.97 },
  },
  commands: {
    train: { about: "Train, evaluate and report (the default)" },
    eval: { about: "Evaluate a run or a checkpoint", positional: "CHECKPOINT" },
    predict: { about: "Name the digits in image files", positional: "FILE…" },
  },
};

// ------------------------------------------------------------------------------------------- model

/** The network of the course. */
export class Net extends nn.Module {
  conv1: nn.Conv2d;
  conv2: nn.Conv2d;
  conv3: nn.Conv2d;
  pool: nn.MaxPool2d;
  drop: nn.Dropout;
  fc1: nn.Linear;
  fc2: nn.Linear;

  constructor(options: Pick<Config, "imageSize" | "classes" | "dropout">) {
    super();
    const side = Math.floor(options.imageSize / 4);
    this.conv1 = new nn.Conv2d(3, 32, 3, { padding: 1 });
    this.conv2 = new nn.Conv2d(32, 64, 3, { padding: 1 });
    this.conv3 = new nn.Conv2d(64, 128, 3, { padding: 1 });
    this.pool = new nn.MaxPool2d(2);
    this.drop = new nn.Dropout(options.dropout);
    this.fc1 = new nn.Linear(128 * side * side, 512);
    this.fc2 = new nn.Linear(512, options.classes);
  }

  /** Logits `[N, classes]` of images `[N, 3, H, W]`. */
  override forward(images: Tensor): Tensor {
    let x = F.relu(this.conv1.forward(images)); // [N, 32, 48, 48]
    x = this.pool.forward(F.relu(this.conv2.forward(x))); // [N, 64, 24, 24]
    x = this.pool.forward(F.relu(this.conv3.forward(x))); // [N, 128, 12, 12]
    x = this.drop.forward(x.flatten(1)); // [N, 18432]
    x = this.drop.forward(F.relu(this.fc1.forward(x))); // [N, 512]
    return this.fc2.forward(x); // [N, classes]
  }
}

// -------------------------------------------------------------------------------------------- data

/** What is done to a digit; in training it is also turned and its light changed. */
function transformOf(settings: Config, training: boolean): Compose {
  const { imageSize, rotation, jitter, mean, deviation } = settings;
  const augmentation = training
    ? [new RandomRotation(rotation), new ColorJitter({ brightness: jitter, contrast: jitter })]
    : [];
  return new Compose([
    new Grayscale(3),
    new Resize([imageSize, imageSize]),
    ...augmentation,
    new ToTensor(),
    new Normalize([mean, mean, mean], [deviation, deviation, deviation]),
  ]);
}

async function openData(settings: Config, training: boolean): Promise<LabeledImages> {
  const root = settings.data === "" ? undefined : settings.data;
  const images = await loadMnist({ root, train: training });
  const labels = 1 + images.labels.reduce((most, label) => Math.max(most, label), 0);
  if (labels <= settings.classes) return images;
  throw new UsageError(`--classes: ${settings.classes} are too few for labels up to ${labels - 1}`);
}

/** Batches of the first images of a set. */
function loaderOf(settings: Config, images: LabeledImages, training: boolean) {
  const limit = Math.min(images.length, training ? settings.trainImages : settings.testImages);
  const transformed = images.withTransform(transformOf(settings, training));
  const subset = new Subset(transformed, Array.from({ length: limit }, (_, i) => i));
  const { batchSize, seed } = settings;
  return new DataLoader(subset, { batchSize, shuffle: training, seed });
}

// ---------------------------------------------------------------------------------------- training

/** One step; adds its loss, correct answers and images to the sums. */
function stepOf(
  model: Net,
  optimizer: optim.Adam,
  sums: Tensor,
): (x: Tensor, y: Tensor) => void {
  return compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const logits = model.forward(x); // [N, classes]
    const loss = F.crossEntropy(logits, y);
    loss.backward();
    optimizer.step();
    noGrad(() => {
      const count = y.shape[0]!;
      sums.slice(0, 0, 1).add_(loss.mul(count).reshape([1]));
      sums.slice(0, 1, 2).add_(logits.argmax(1).eq(y).sum().to("float32").reshape([1]));
      sums.slice(0, 2, 3).add_(count);
    });
  }, { name: "trainStep" });
}

async function train(settings: Config, checkpoint?: Checkpoint): Promise<void> {
  const device = await openDevice(settings);
  manualSeed(settings.seed);
  setDetectAnomaly(settings.detectNan);
  const model = new Net(settings);
  const { lr, weightDecay } = settings;
  const optimizer = new optim.Adam(model.parameters(), { lr, weightDecay });
  const loader = loaderOf(settings, await openData(settings, true), true);
  const testLoader = loaderOf(settings, await openData(settings, false), false);
  const perEpoch = loader.length;
  const total = settings.dryRun
    ? (checkpoint?.step ?? 0) + 1
    : settings.steps || settings.epochs * perEpoch;

  using run = await TrainingRun.open({
    script: script.name,
    name: "cnn",
    device,
    settings,
    checkpoint,
    model,
    total,
    perStep: settings.batchSize,
    unit: "images",
    columns: ["loss", "acc"],
    remedy: "run again with --detect-nan to see which operation gave it",
  });
  if (checkpoint) {
    const saved = await loadCheckpoint(checkpoint.path, { model, optimizer });
    loader.loadState(saved["loader"] as LoaderState);
  }
  const files = () => checkpointFiles({ model, optimizer, progress: { loader: loader.state() } });

  const sums = zeros([3]); // since the last line; they stay on the device
  const trainStep = stepOf(model, optimizer, sums);
  while (!run.over) {
    const epoch = Math.floor(run.step / perEpoch) + 1;
    const totals = [0, 0, 0];
    const label = `epoch ${epoch}/${Math.ceil(total / perEpoch)}  step`;
    run.part(label, Math.min(epoch * perEpoch, total));
    for await (const batch of loader) {
      trainStep(...run.batch(batch));
      await run.stepped(sums);
      const ends = run.over || run.step % perEpoch === 0;
      if (ends || run.due(settings.logEvery)) {
        const read = await readSums(sums);
        for (const i of [0, 1, 2]) totals[i]! += read[i]!;
        run.log({ epoch, loss: read[0]! / read[2]!, acc: read[1]! / read[2]! });
      } else run.show();
      if (run.due(settings.saveEvery)) await run.save(files, { model, optimizer });
      if (ends) break;
    }
    run.stop();
    printEpoch(epoch, totals, run.stepTime * (run.step % perEpoch || perEpoch));
  }
  const accuracy = await report(model, testLoader, run.folder, settings, run.step);
  await run.publish();
  run.finish();
  expectAtLeast("test accuracy", accuracy, settings.expect);
}

/** The line of an epoch: means of its sums, and its milliseconds. */
function printEpoch(epoch: number, totals: readonly number[], time: number): void {
  const [lossSum, correct, count] = totals as [number, number, number];
  const loss = (lossSum / count).toFixed(4), accuracy = (100 * correct / count).toFixed(2);
  const seconds = (time / 1000).toFixed(1);
  console.log(`epoch ${epoch}  loss ${loss}  accuracy ${accuracy} %  ${seconds} s`);
}

async function readSums(sums: Tensor): Promise<number[]> {
  const values = [...await sums.data()];
  sums.zero_();
  return values;
}

// -------------------------------------------------------------------------------------- evaluation

interface Evaluation {
  loss: number;
  targets: number[];
  predictions: number[];
}

async function evaluate(
  model: Net,
  loader: ReturnType<typeof loaderOf>,
  settings: Config,
): Promise<Evaluation> {
  model.eval();
  const forward = compile((x: Tensor, y: Tensor) =>
    noGrad(() => {
      const logits = model.forward(x); // [N, classes]
      return {
        loss: F.crossEntropy(logits, y, { reduction: "sum" }),
        predictions: logits.argmax(1),
      };
    }), { name: "evaluate" });
  const result: Evaluation = { loss: 0, targets: [], predictions: [] };
  for await (const [x, y] of loader) {
    const { loss, predictions } = forward(x, y);
    result.loss += await loss.item();
    result.predictions.push(...await predictions.data());
    result.targets.push(...await y.data());
    if (settings.dryRun) break;
  }
  result.loss /= result.targets.length;
  forward.dispose();
  model.train();
  return result;
}

/** Prints loss, accuracy, report and matrix; draws a grid of digits. Gives the accuracy. */
async function report(
  model: Net,
  loader: ReturnType<typeof loaderOf>,
  folder: RunFolder | undefined,
  settings: Config,
  step: number,
): Promise<number> {
  const { loss, targets, predictions } = await evaluate(model, loader, settings);
  const correct = predictions.filter((p, i) => p === targets[i]).length;
  const accuracy = correct / targets.length;
  console.log(`\ntest loss ${loss.toFixed(4)}  test accuracy ${(100 * accuracy).toFixed(2)} %\n`);
  console.log(classificationReport(targets, predictions));
  console.log("confusion matrix (rows: true digit, columns: predicted)");
  for (const row of confusionMatrix(targets, predictions)) {
    console.log(row.map((n) => String(n).padStart(5)).join(""));
  }
  folder?.log({ step, testLoss: loss, testAcc: accuracy });
  if (folder) await drawDigits(folder, settings, targets, predictions);
  return accuracy;
}

/** A picture of test digits, mistakes first and framed in red. */
async function drawDigits(
  folder: RunFolder,
  settings: Config,
  targets: number[],
  predictions: number[],
): Promise<void> {
  const images = await openData(settings, false);
  const wrong = targets.map((_, i) => i).filter((i) => predictions[i] !== targets[i]).slice(0, 32);
  const right = targets.map((_, i) => i).filter((i) => predictions[i] === targets[i]);
  const tiles = [...wrong, ...right].slice(0, 64).map((i) => ({
    picture: images.image(i),
    caption: `${targets[i]} > ${predictions[i]}`,
    marked: predictions[i] !== targets[i],
  }));
  await folder.write("digits.png", encodePng(grid(tiles, { columns: 8 })));
}

// --------------------------------------------------------------------------------- other commands

async function openModel(
  checkpoint: string,
  parsed: Parsed<Config>,
): Promise<{ model: Net; settings: Config }> {
  const found = await findCheckpoint(checkpoint, { name: "cnn" });
  const saved = resumeConfig(parsed, await savedConfig(found), FIXED);
  const fixed = Object.fromEntries(FIXED.map((key) => [key, saved[key]]));
  const settings = { ...parsed.config, ...fixed };
  await openDevice(settings);
  const model = new Net(settings);
  await loadWeights(`${found.path}/model.safetensors`, model);
  return { model, settings };
}

/** The three likeliest digits of image files. */
async function predict(parsed: Parsed<Config>): Promise<void> {
  const { args: files, config: given } = parsed;
  if (!files.length) throw new UsageError("predict: name at least one image file");
  const { model, settings } = await openModel(given.resume || "last", parsed);
  model.eval();
  const transform = transformOf(settings, false);
  for (const file of files) {
    const picture = decodePicture(await Deno.readFile(file), file);
    const { shape, data } = transform.forward(asDigit(picture));
    const x = tensor(data, { shape: [1, ...shape] });
    const probabilities = noGrad(() => model.forward(x).softmax(1)).reshape([-1]);
    const { values, indices } = topk(probabilities, 3);
    const p = [...await values.data()], classes = [...await indices.data()];
    const text = classes.map((c, i) => `${c} ${(100 * p[i]!).toFixed(1)} %`).join("   ");
    console.log(`${file}: ${text}`);
  }
}

/** A picture as MNIST has digits: grey, light on dark. */
export function asDigit(picture: Image): Image {
  const gray = new Grayscale(1).forward(withoutAlpha(picture));
  const mean = gray.data.reduce((sum, v) => sum + v, 0) / gray.data.length;
  return mean < 128 ? gray : { ...gray, data: gray.data.map((v) => 255 - v) };
}

async function evalCommand(parsed: Parsed<Config>): Promise<void> {
  const { args, config: given } = parsed;
  const { model, settings } = await openModel(args[0] ?? (given.resume || "last"), parsed);
  const loader = loaderOf(settings, await openData(settings, false), false);
  const accuracy = await report(model, loader, undefined, settings, 0);
  expectAtLeast("test accuracy", accuracy, given.expect);
}

async function main(): Promise<void> {
  const parsed = commandLine(script);
  const { command, config: given } = parsed;
  if (command === "predict") return await predict(parsed);
  if (command === "eval") return await evalCommand(parsed);
  if (given.resume === "") return await train(given);
  const checkpoint = await findCheckpoint(given.resume, { name: "cnn" });
  await train(resumeConfig(parsed, await savedConfig(checkpoint), FIXED), checkpoint);
}

if (import.meta.main) await runMain(main);
