// An op of your own on the tape: `customGrad` takes a forward pass, which runs without a tape, and its backward pass. Here they
// are those of an LSTM layer, and what they learn is compared with `lstm`, which is on the tape already.
//
//   npx tsc -p examples && node build/examples/custom-grad.js
import * as rnn from 'packed-rnn'

const { customGrad, Generator, lstm, lstmBackward, lstmForward, mul, optim, reshape, scope, sub, sum } = rnn

// Three sequences of I numbers a token, N tokens in all, and H units.
const [N, I, H] = [14, 3, 8]
const sequences = new rnn.Sequences([5, 2, 7])
type Inputs = [x: rnn.Matrix, wIh: rnn.Matrix, wHh: rnn.Matrix]
/** The states [N, H] after each token. */
const ours = customGrad(
  (...[x, wIh, wHh]: Inputs) => {
    const packed = new rnn.PackedSequence(x, sequences)
    const { output, saved } = lstmForward(packed, [{ wIh, wHh }], { hiddenSize: H })
    return { output: output.data, saved }
  },
  (saved, [gradient]) => {
    const dOutput = gradient ? reshape(gradient, [N, H]) : null
    const { dInput, dWeights } = lstmBackward(saved, { dOutput })
    return [dInput, dWeights[0]!.wIh, dWeights[0]!.wHh]
  },
)
const known = (...[x, wIh, wHh]: Inputs) =>
  lstm(new rnn.PackedSequence(x, sequences), [{ wIh, wHh }], { hiddenSize: H }).output.data

/** Twenty steps towards states that are drawn, as all numbers are; the losses, and the gradients of the first step. */
async function train(op: (...inputs: Inputs) => rnn.Tensor<'float32'>) {
  const generator = new Generator(1)
  const draw = (rows: number, columns: number, requiresGrad = true) => {
    const numbers = Array.from({ length: rows * columns }, () => generator.uniform(-0.5, 0.5))
    return rnn.tensor(numbers, [rows, columns], { requiresGrad })
  }
  const inputs: Inputs = [draw(N, I), draw(4 * H, I), draw(4 * H, H)]
  const target = draw(N, H, false)
  const adam = new optim.Adam(inputs, { lr: 0.05 })
  const [losses, gradients]: [number[], Float32Array[]] = [[], []]
  for (let step = 0; step < 20; step++) {
    await scope(async () => {
      const off = sub(op(...inputs), target)
      const squares = sum(mul(off, off))
      squares.backward()
      losses.push(await squares.item())
    })
    if (step === 0) for (const { grad } of inputs) gradients.push(await grad!.toArray())
    adam.step()
    adam.zeroGrad()
  }
  return { losses, gradients: gradients.flatMap(numbers => [...numbers]) }
}

const results = { customGrad: await train(ours), lstm: await train(known) }
for (const [name, { losses }] of Object.entries(results))
  console.log(
    `${name.padEnd(10)}  loss ${losses[0]!.toFixed(4)}, after 20 steps ${losses.at(-1)!.toFixed(4)}`,
  )
const off = results.lstm.gradients.map((value, i) => Math.abs(value - results.customGrad.gradients[i]!))
console.log(`${off.length} gradients agree: largest difference ${Math.max(...off).toExponential(1)}`)
