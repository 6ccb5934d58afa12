// What stands around the model in a `tokenizer.json`: normalizers before it, decoders after it,
// templates around its ids.

import { readObjects } from "./_check.ts";
import { byteToken } from "./bpe_model.ts";
import { fromByteCharacters } from "./byte_level.ts";
import { FormatError } from "./errors.ts";

type Config = Record<string, unknown>;

function configType(config: unknown): string | undefined {
  const type = (config as Config | null)?.type;
  return typeof type === "string" ? type : undefined;
}

function unsupported(op: string, field: string, value: unknown): FormatError {
  return new FormatError(op, `${field} is ${JSON.stringify(value)}, which is not supported`);
}

/** Changes a text before it is cut. */
export function buildNormalizer(
  op: string,
  config: unknown,
  field = "normalizer",
): (text: string) => string {
  if (config === null || config === undefined) return (text) => text;
  const options = config as Config;
  switch (options.type) {
    case "Sequence": {
      const name = `${field}.normalizers`;
      const steps = readObjects(op, options.normalizers, name).map((step, i) =>
        buildNormalizer(op, step, `${name}[${i}]`)
      );
      return (text) => steps.reduce((value, step) => step(value), text);
    }
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = options.type;
      return (text) => text.normalize(form);
    }
    case "Lowercase":
      return (text) => text.toLowerCase();
    case "Prepend": {
      const prefix = String(options.prepend);
      return (text) => text === "" ? text : prefix + text;
    }
    case "Replace": {
      const [from, to] = readReplace(op, options, field);
      return (text) => text.replaceAll(from, () => to);
    }
    default:
      throw unsupported(op, `${field}.type`, options.type);
  }
}

function readReplace(op: string, options: Config, field: string): [from: string, to: string] {
  const from = (options.pattern as { String?: unknown } | undefined)?.String;
  if (typeof from !== "string") throw new FormatError(op, `${field}.pattern has no String`);
  return [from, String(options.content)];
}

/** How tokens become text. */
export interface Decoder {
  /** Bytes of a token. */
  bytes: (token: string) => Uint8Array;
  /** Text between tokens. */
  separator: string;
  /** Text after all tokens are joined. */
  finish: (text: string) => string;
}

/** Reads the decoder of a configuration. */
export function buildDecoder(op: string, config: unknown): Decoder {
  const encoder = new TextEncoder();
  const plain: Decoder = {
    bytes: (token) => encoder.encode(token),
    separator: "",
    finish: (text) => text,
  };
  switch (configType(config)) {
    case undefined:
      return { ...plain, separator: " " };
    case "ByteLevel":
      return { ...plain, bytes: fromByteCharacters };
    case "Fuse":
      return plain;
    case "Sequence":
      return sequenceDecoder(op, (config as Config).decoders, plain);
    default:
      throw unsupported(op, "decoder.type", (config as Config).type);
  }
}

/** Place of each step: in another order a step would see pieces of other forms. */
const STEP_PLACES: Readonly<Record<string, number>> = {
  Replace: 0, // token by token
  ByteLevel: 1, // tokens become one text
  ByteFallback: 1,
  Fuse: 2, // the same
  Strip: 3, // on the whole text
};

/** The steps of SentencePiece models, Replace, ByteFallback, Fuse, Strip, or ByteLevel for these. */
function sequenceDecoder(op: string, list: unknown, plain: Decoder): Decoder {
  const decoder = { ...plain };
  let replace = (token: string): string => token;
  let bytes = plain.bytes;
  let place = 0;
  let fused = false;
  readObjects(op, list, "decoder.decoders").forEach((options, i) => {
    const field = `decoder.decoders[${i}]`;
    const type = String(options.type);
    const own = STEP_PLACES[type];
    if (own === undefined) throw unsupported(op, `${field}.type`, options.type);
    if (own < place || (own === 1 && place === 1) || (type === "Strip" && !fused)) {
      throw new FormatError(op, `${field} is ${type} at a place that is not supported`);
    }
    place = own;
    fused ||= type === "ByteLevel" || type === "Fuse";
    if (type === "Replace") {
      const [from, to] = readReplace(op, options, field);
      const inner = replace;
      replace = (token) => inner(token).replaceAll(from, () => to);
    } else if (type === "ByteLevel") bytes = fromByteCharacters;
    else if (type === "ByteFallback") bytes = byteFallback(plain.bytes);
    else if (type === "Strip") {
      const [inner, strip] = [decoder.finish, stripper(options)];
      decoder.finish = (text) => strip(inner(text));
    }
  });
  return { ...decoder, bytes: (token) => bytes(replace(token)) };
}

function byteFallback(plain: (token: string) => Uint8Array): (token: string) => Uint8Array {
  const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byteToken(byte), byte]));
  return (token) => {
    const byte = bytes.get(token);
    return byte === undefined ? plain(token) : new Uint8Array([byte]);
  };
}

function stripper({ content, start, stop }: Config): (text: string) => string {
  const strip = String(content);
  return (text) => {
    let [from, to] = [0, text.length];
    while (from < Number(start) && text[from] === strip) from++;
    while (text.length - to < Number(stop) && to > from && text[to - 1] === strip) to--;
    return text.slice(from, to);
  };
}

/** Ids before and after the ids of every text. */
export interface Template {
  /** Ids before. */
  before: readonly number[];
  /** Ids after. */
  after: readonly number[];
}

/** Reads the post-processor of a configuration. */
export function buildTemplate(
  op: string,
  config: unknown,
  idOf: (token: string) => number | undefined,
  field = "post_processor",
): Template {
  const none: Template = { before: [], after: [] };
  if (config === null || config === undefined || configType(config) === "ByteLevel") return none;
  const options = config as Config;
  if (options.type === "Sequence") {
    const name = `${field}.processors`;
    const list = readObjects(op, options.processors, name).map((step, i) =>
      buildTemplate(op, step, idOf, `${name}[${i}]`)
    );
    return {
      before: [...list].reverse().flatMap(({ before }) => before),
      after: list.flatMap(({ after }) => after),
    };
  }
  if (options.type !== "TemplateProcessing") throw unsupported(op, `${field}.type`, options.type);
  const parts = readObjects(op, options.single, `${field}.single`);
  const places = parts.flatMap((part, i) => "Sequence" in part ? [i] : []);
  if (places.length !== 1) {
    const problem = `${field}.single holds the text ${places.length} times, which is not supported`;
    throw new FormatError(op, problem);
  }
  const tokens = (options.special_tokens ?? {}) as Record<string, { ids: number[] }>;
  const idsOf = (list: typeof parts): number[] =>
    list.flatMap(({ SpecialToken: special }) => {
      const name = (special as { id?: string } | null | undefined)?.id ?? "";
      const ids = tokens[name]?.ids ?? [idOf(name)];
      if (ids[0] !== undefined) return ids as number[];
      throw new FormatError(op, `${field} names the token "${name}", which does not exist`);
    });
  const [middle] = places as [number];
  return { before: idsOf(parts.slice(0, middle)), after: idsOf(parts.slice(middle + 1)) };
}
