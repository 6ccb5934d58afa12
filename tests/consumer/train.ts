/**
 * What a user's project looks like: it imports the package by its name on JSR, type-checks, and
 * trains a small model on the XOR of two signs.
 *
 * @module
 */
import {
  compile,
  crossEntropy,
  manualSeed,
  setDevice,
  type Tensor,
  tensor,
} from "jsr:@tensaurus/core";
import { Linear, ReLU, Sequential } from "jsr:@tensaurus/core/nn";
import { Adam } from "jsr:@tensaurus/core/optim";
import { accuracy } from "jsr:@tensaurus/core/data";

const POINTS = [[-1, -1], [-1, 1], [1, -1], [1, 1]];
const LABELS = [0, 1, 1, 0];
const STEPS = 200;

await setDevice("cpu");
manualSeed(1);
const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const optimizer = new Adam(model.parameters(), { lr: 0.02 });
const step = compile((x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(model.forward(x), y);
  loss.backward();
  optimizer.step();
  return loss;
});

const x = tensor(POINTS);
const y = tensor(LABELS, { dtype: "int32" });
const first: number = await step(x, y).item();
let loss = step(x, y);
for (let i = 2; i < STEPS; i++) loss = step(x, y);
const last: number = await loss.item();
const predicted = await model.forward(x).argmax(1).data();
const right: number = accuracy(LABELS, [...predicted].map(Number));

console.log(`loss ${first.toFixed(4)} -> ${last.toFixed(4)}, accuracy ${right}`);
if (!(last < 0.05 && right === 1)) throw new Error("the model did not learn");
