// What stands around the model in a `tokenizer.json`: normalizers before it, decoders after it,
// templates around its ids.

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
      const steps = (options.normalizers as unknown[]).map((step, i) =>
        buildNormalizer(op, step, `${field}.normalizers[${i}]`)
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
      return sequenceDecoder(op, (config as Config).decoders as unknown[], plain);
    default:
      throw unsupported(op, "decoder.type", (config as Config).type);
  }
}

/** The steps of SentencePiece models: Replace, ByteFallback, Fuse, Strip. */
function sequenceDecoder(op: string, steps: readonly unknown[], plain: Decoder): Decoder {
  const decoder = { ...plain };
  steps.forEach((config, i) => {
    const field = `decoder.decoders[${i}]`;
    const options = config as Config;
    const inner = decoder.bytes;
    switch (options.type) {
      case "Replace": {
        const [from, to] = readReplace(op, options, field);
        decoder.bytes = (token) => inner(token.replaceAll(from, () => to));
        break;
      }
      case "ByteFallback": {
        const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byteToken(byte), byte]));
        decoder.bytes = (token) => {
          const byte = bytes.get(token);
          return byte === undefined ? inner(token) : new Uint8Array([byte]);
        };
        break;
      }
      case "ByteLevel":
        decoder.bytes = fromByteCharacters;
        break;
      case "Fuse":
        break;
      case "Strip":
        decoder.finish = stripper(options);
        break;
      default:
        throw unsupported(op, `${field}.type`, options.type);
    }
  });
  return decoder;
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
    const list = (options.processors as unknown[]).map((step, i) =>
      buildTemplate(op, step, idOf, `${field}.processors[${i}]`)
    );
    return {
      before: [...list].reverse().flatMap(({ before }) => before),
      after: list.flatMap(({ after }) => after),
    };
  }
  if (options.type !== "TemplateProcessing") throw unsupported(op, `${field}.type`, options.type);
  const parts = options.single as ({ SpecialToken?: { id: string } })[];
  const middle = parts.findIndex((part) => part.SpecialToken === undefined);
  const ids = parts.map(({ SpecialToken: special }) => {
    if (special === undefined) return -1;
    const id = idOf(special.id);
    if (id === undefined) {
      throw new FormatError(op, `${field} names the token "${special.id}", which does not exist`);
    }
    return id;
  });
  return { before: ids.slice(0, middle), after: ids.slice(middle + 1) };
}
