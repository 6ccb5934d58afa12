/** Runs the folders that Hugging Face saved: models with logits and a continuation, tokenizers. */
import { noGrad } from "../../ops/mod.ts";
import { loadTokenizer } from "../../data/mod.ts";
import { Gpt } from "../../models/gpt.ts";
import { TokenGenerator } from "../../models/kit/generate.ts";
import { readHfFolder } from "../../models/kit/hf.ts";
import {
  type Case,
  type CaseFile,
  decodeTensor,
  type EncodedTensor,
  type Outcome,
} from "./cases.ts";
import { Comparison } from "./compare.ts";

interface TextCase {
  readonly text: string;
  readonly ids: readonly number[];
  readonly decoded: string;
}

/** Logits, then the greedy continuation, with the cache and without, token for token. */
async function runModel(file: CaseFile, test: Case): Promise<Outcome> {
  const { options, state, endOfText } = await readHfFolder(file.path);
  const model = new Gpt(options).eval();
  model.loadStateDict(state(Object.keys(model.stateDict())));
  const comparison = new Comparison(file.name);
  const tokens = decodeTensor(test.tokens as EncodedTensor);
  await comparison.value("logits", noGrad(() => model.forward(tokens)), test.logits);
  const prompt = test.prompt as number[], greedy = test.greedy as number[];
  const wanted = greedy.slice(prompt.length).filter((token) => !endOfText.includes(token));
  const length = greedy.length - prompt.length;
  const generator = new TokenGenerator(model.decoder(), { temperature: 0 });
  const got = await generator.generate(prompt, { length, stop: endOfText });
  generator.dispose();
  comparison.numbers("greedy", got, wanted);
  return comparison.outcome;
}

async function runTokenizer(file: CaseFile, { text, ids, decoded }: TextCase): Promise<Outcome> {
  const tokenizer = await loadTokenizer(`${file.path}/tokenizer.json`);
  const comparison = new Comparison(file.name);
  comparison.numbers("ids", tokenizer.encode(text), ids);
  const got = tokenizer.decode(ids);
  if (got !== decoded) {
    comparison.fail(`decoded ${JSON.stringify(got)}, expected ${JSON.stringify(decoded)}`);
  }
  return comparison.outcome;
}

/** Runs one case. */
export async function run(file: CaseFile, index: number): Promise<Outcome> {
  const test = file.cases[index]!;
  if ("logits" in test) return await runModel(file, test);
  return await runTokenizer(file, test as unknown as TextCase);
}
