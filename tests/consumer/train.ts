/**
 * What a user's project looks like: it imports the package by its name on JSR, type-checks, and
 * trains a small model on the XOR of two signs.
 *
 * @module
 */
import { compile, manualSeed, setDefaultDevice, type Tensor, tensor } from "jsr:@tensaurus/core";
import { functional as F, Linear, ReLU, Sequential } from "jsr:@tensaurus/core/nn";
import { Adam } from "jsr:@tensaurus/core/optim";
import { accuracy } from "jsr:@tensaurus/core/data";

const POINTS = [[-1, -1], [-1, 1], [1, -1], [1, 1]];
const LABELS = [0, 1, 1, 0];
const STEPS = 200;

setDefaultDevice("cpu");
manualSeed(1);
const model = new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 2));
const optimizer = new Adam(model.parameters(), { lr: 0.02 });
const step = compile((x: Tensor, y: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(x), y);
  loss.backward();
  optimizer.step();
  return loss;
});

const x = tensor(POINTS);
const y = tensor(LABELS, { dtype: "i32" });
const first: number = await step(x, y).item();
let loss = step(x, y);
for (let i = 2; i < STEPS; i++) loss = step(x, y);
const last: number = await loss.item();
const predicted = await model.forward(x).argmax(1).data();
const right: number = accuracy([...predicted].map(Number), LABELS);

console.log(`loss ${first.toFixed(4)} -> ${last.toFixed(4)}, accuracy ${right}`);
if (!(last < 0.05 && right === 1)) throw new Error("the model did not learn");
