/** Reading the reference cases and turning what they encode into values. */
import { type DeviceName, Tensor, tensor } from "../../ops/mod.ts";

/** A tensor as the files hold it. */
export interface EncodedTensor {
  readonly $t: readonly number[];
  readonly d: "float32" | "int32" | "bool" | "uint8";
  readonly b: string;
}

/** A case: fields by name, as the kind has them. */
export type Case = Readonly<Record<string, unknown>>;

/** A file of cases. For folders (`hf-gpt2`) `cases` is `expected.json`: its items, or the whole as one case. */
export interface CaseFile {
  readonly name: string;
  /** `op`, `module`, `optim`, `model`, `data` or `hf`. */
  readonly kind: string;
  /** Path of the file or folder. */
  readonly path: string;
  readonly cases: readonly Case[];
}

/** What came of a case. */
export interface Outcome {
  readonly pass: boolean;
  /** Largest |a − b| relative to max(1, |b|); infinite where shapes differ. */
  readonly worst: number;
  /** What went wrong. */
  readonly message?: string | undefined;
}

/**
 * What runs the cases of one kind. A file `scripts/conformance/<kind>s.ts` (`data.ts` and `hf.ts`
 * for those) exports `run` of this type; an error that it throws is a failure of the case.
 */
export type Adapter = (file: CaseFile, index: number, device: DeviceName) => Promise<Outcome>;

/** Whether a value is an encoded tensor. */
export function isEncodedTensor(value: unknown): value is EncodedTensor {
  return typeof value === "object" && value !== null && "$t" in value;
}

/** Numbers of an encoded tensor, row-major. */
export function decodeNumbers({ d, b }: EncodedTensor): Float32Array | Int32Array | Uint8Array {
  const bytes = Uint8Array.from(atob(b), (c) => c.charCodeAt(0));
  if (d === "float32") return new Float32Array(bytes.buffer);
  return d === "int32" ? new Int32Array(bytes.buffer) : bytes;
}

/** A tensor on the default device; uint8 becomes int32. */
export function decodeTensor(value: EncodedTensor): Tensor {
  const numbers = decodeNumbers(value);
  const dtype = value.d === "uint8" ? "int32" : value.d;
  const data = numbers instanceof Uint8Array ? Int32Array.from(numbers) : numbers;
  return tensor(data, { shape: value.$t, dtype });
}

/** A slice `[start, stop, step]` of a case. */
export class Slice {
  readonly bounds: readonly (number | null)[];

  constructor(bounds: readonly (number | null)[]) {
    this.bounds = bounds;
  }
}

/** Plain values, tensors, slices and dtypes from what JSON holds; tensors on the default device. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value !== "object" || value === null) return value;
  if (isEncodedTensor(value)) return decodeTensor(value);
  const fields = value as Readonly<Record<string, unknown>>;
  if ("$f" in fields) return Number(String(fields.$f).replace("inf", "Infinity"));
  if ("$dtype" in fields) return fields.$dtype === "float64" ? "float32" : fields.$dtype;
  if ("$slice" in fields) return new Slice(fields.$slice as (number | null)[]);
  return Object.fromEntries(Object.entries(fields).map(([name, v]) => [name, decode(v)]));
}

/** All tensors of a value, depth first. */
export function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsIn);
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(tensorsIn);
}

async function readGzip(path: string): Promise<{ name: string; kind: string; cases: Case[] }> {
  const file = await Deno.open(path);
  const stream = file.readable.pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}

/** All files of a folder by name. */
export async function* readCases(
  folder: string,
  accept: (name: string) => boolean,
): AsyncGenerator<CaseFile> {
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  for (const entry of entries) {
    const path = `${folder.replace(/\/$/, "")}/${entry.name}`;
    if (entry.isDirectory) {
      if (!entry.name.startsWith("hf-") || !accept(entry.name)) continue;
      const expected = JSON.parse(await Deno.readTextFile(`${path}/expected.json`));
      const cases = Array.isArray(expected) ? expected : [expected];
      yield { name: entry.name, kind: "hf", path, cases };
    } else if (entry.name.endsWith(".json.gz")) {
      const label = entry.name.slice(0, -".json.gz".length);
      if (!accept(label)) continue;
      const { kind, cases } = await readGzip(path);
      yield { name: label, kind, path, cases };
    }
  }
}
