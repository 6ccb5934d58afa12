// Runs the reference cases of data: what `deno task conformance` and the tests here share.

import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  centerCrop,
  classificationReport,
  confusionMatrix,
  flipHorizontal,
  type FloatImage,
  grayscale,
  type Image,
  type Interpolation,
  loadTokenizer,
  Normalize,
  type Resampling,
  resize,
  rotate,
  ToTensor,
} from "../../data/mod.ts";
import { type CaseArray, caseFile, decodeBytes, readCases } from "./_cases.ts";

/** Outcome of one case. */
export interface CaseResult {
  /** Name of the file, without its ending. */
  name: string;
  /** What was computed. */
  case: string;
  /** Whether it is within tolerance. */
  pass: boolean;
  /** Largest difference; infinite where the form differs. */
  worst: number;
}

interface TransformCase {
  transform: string;
  kwargs: Record<string, unknown>;
  input: CaseArray;
  out: CaseArray;
}

function toImage(array: CaseArray): Image {
  const [height, width, channels = 1] = array.$t as [number, number, number?];
  return { width, height, channels, data: decodeBytes(array) };
}

function apply({ transform, kwargs, input }: TransformCase): Image | FloatImage {
  const image = toImage(input);
  const factor = kwargs.factor as number;
  switch (transform) {
    case "resize":
      return resize(image, kwargs.size as number | [number, number], {
        interpolation: kwargs.interpolation as Interpolation,
      });
    case "grayscale":
      return grayscale(image, kwargs.num_output_channels as 1 | 3);
    case "rotate":
      return rotate(image, kwargs.angle as number, {
        interpolation: kwargs.interpolation as Resampling,
        expand: kwargs.expand as boolean | undefined,
      });
    case "adjust_brightness":
      return adjustBrightness(image, factor);
    case "adjust_contrast":
      return adjustContrast(image, factor);
    case "adjust_saturation":
      return adjustSaturation(image, factor);
    case "adjust_hue":
      return adjustHue(image, factor);
    case "hflip":
      return flipHorizontal(image);
    case "center_crop":
      return centerCrop(image, kwargs.size as number | [number, number]);
    case "to_tensor":
      return new ToTensor().forward(image);
    case "normalize":
      return new Normalize(kwargs.mean as number[], kwargs.std as number[])
        .forward(new ToTensor().forward(image));
    default:
      throw new Error(`no such transform: ${transform}`);
  }
}

function worstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
  return worst;
}

/** All cases of `data.transforms`: bytes are equal, those of resizing within one level. */
export async function transformResults(): Promise<CaseResult[]> {
  const cases = await readCases<TransformCase>("data.transforms");
  return cases.map((test) => {
    const result = apply(test);
    const bytes = decodeBytes(test.out);
    const float = "dtype" in result;
    const gray = test.out.$t.length === 2;
    const shape = float
      ? result.shape
      : [result.height, result.width, ...gray ? [] : [result.channels]];
    const same = shape.join() === test.out.$t.join();
    const expected = float ? new Float32Array(bytes.buffer) : bytes;
    const worst = same ? worstDifference(result.data, expected) : Infinity;
    const tolerance = float ? 1e-6 : test.transform === "resize" ? 1 : 0;
    const label = `${test.transform} ${JSON.stringify(test.kwargs)}`;
    return { name: "data.transforms", case: label, pass: worst <= tolerance, worst };
  });
}

interface MetricsCase {
  y: number[];
  pred: number[];
  report: string;
  confusion: number[][];
}

/** All cases of `data.metrics`: the text to the letter, the counts. */
export async function metricsResults(): Promise<CaseResult[]> {
  const cases = await readCases<MetricsCase>("data.metrics");
  return cases.flatMap(({ y, pred, report, confusion }, i) => {
    const text = classificationReport(y, pred) === report;
    const matrix = JSON.stringify(confusionMatrix(y, pred)) === JSON.stringify(confusion);
    return [["classification_report", text], ["confusion_matrix", matrix]].map(([what, pass]) => ({
      name: "data.metrics",
      case: `${what} ${i}`,
      pass: pass as boolean,
      worst: pass ? 0 : Infinity,
    }));
  });
}

interface BpeCase {
  text: string;
  ids: number[];
  decoded: string;
}

/** All cases of `hf-bpe`: ids and texts. */
export async function bpeResults(): Promise<CaseResult[]> {
  const tokenizer = await loadTokenizer(caseFile("hf-bpe/tokenizer.json"));
  const cases = JSON.parse(await Deno.readTextFile(caseFile("hf-bpe/expected.json"))) as BpeCase[];
  return cases.map(({ text, ids, decoded }) => {
    const pass = tokenizer.encode(text).join() === ids.join() && tokenizer.decode(ids) === decoded;
    const label = JSON.stringify(text.slice(0, 40));
    return { name: "hf-bpe", case: label, pass, worst: pass ? 0 : Infinity };
  });
}
