/** Parts of a `tokenizer.json` of byte pairs that differ between tokenizers. */
export interface BpeParts {
  /** Tokens that are found before any word. */
  readonly addedTokens: readonly Readonly<Record<string, unknown>>[];
  /** What cuts a text into words. */
  readonly preTokenizer: Readonly<Record<string, unknown>> | null;
  /** What puts a text together again. */
  readonly decoder: Readonly<Record<string, unknown>>;
  /** Ids of the tokens. */
  readonly vocab: ReadonlyMap<string, number>;
  /** Pairs that become one token, in order. */
  readonly merges: readonly (readonly [string, string])[];
}

/** The content of a `tokenizer.json` of Hugging Face's format, with all fields that its readers ask for. */
export function bpeConfig(parts: BpeParts): Record<string, unknown> {
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: parts.addedTokens,
    normalizer: null,
    pre_tokenizer: parts.preTokenizer,
    post_processor: null,
    decoder: parts.decoder,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(parts.vocab),
      merges: parts.merges,
    },
  };
}
