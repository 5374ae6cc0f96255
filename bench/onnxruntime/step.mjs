// Networks at 224x224, step by step, on command: the ONNX Runtime side of scripts/bench_cpu.sh.
//
//   step.mjs FOLDER       where the other side has written MODEL.pth
//   stdin:   MODEL infer f32 BATCH STEPS
//   stdout:  seconds per step, peak resident MiB, and a check value: the sum of |logits|
//
// All graph optimisations, OMP_NUM_THREADS threads; $ONNXRUNTIME is the package's folder.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ort = createRequire(import.meta.url)(process.env.ONNXRUNTIME);
const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2];

function images(batch) {
  const values = new Float32Array(batch * 3 * 224 * 224);
  for (let i = 0; i < values.length; ++i) {
    const word = (Math.imul(i, 1103515245) + 12345) >>> 0;
    values[i] = (word >>> 8) * 2 ** -23 - 1;
  }
  return new ort.Tensor("float32", values, [batch, 3, 224, 224]);
}

const made = new Map();

async function network(model, batch) {
  const file = join(folder, `${model}-${batch}.onnx`);
  if (!existsSync(file)) {
    execFileSync("/usr/bin/python3", [join(here, "export.py"), join(folder, `${model}.pth`), batch, file], { stdio: "ignore" });
  }
  const session = await ort.InferenceSession.create(file, {
    intraOpNumThreads: Number(process.env.OMP_NUM_THREADS ?? 1),
    graphOptimizationLevel: "all",
  });
  const x = images(Number(batch));
  return async () => (await session.run({ x })).logits.data.reduce((sum, value) => sum + Math.abs(value), 0);
}

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [model, what, dtype, batch, steps] = line.split(" ");
  if (what !== "infer" || dtype !== "f32") throw new Error(`only f32 inference, not ${what} ${dtype}`);
  const key = `${model} ${batch}`;
  if (!made.has(key)) made.set(key, await network(model, batch));
  const step = made.get(key);
  const start = process.hrtime.bigint();
  const first = await step();
  for (let i = 1; i < Number(steps); ++i) await step();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9 / Number(steps);
  console.log(`${seconds} ${process.resourceUsage().maxRSS / 1024} ${first}`);
}
