// A decoder with additive attention (Bahdanau et al. 2015), of ops alone: it reads eight letters and learns to say them
// backwards. Each step asks with its state which letters matter, and a GRU cell reads what stands there.
//
//   npx tsc -p examples && node build/examples/attention-decoder.js
import * as rnn from 'packed-rnn'

const { add, bmm, cat, crossEntropy, linear, mul, oneHot, reshape, scope, sigmoid, softmax, split } = rnn
const { sub, sum, tanh } = rnn
// B words of T letters, of C that there are; H units.
const [B, T, C, H] = [32, 8, 6, 32]
const generator = new rnn.Generator(1)
const parameters: rnn.Tensor<'float32'>[] = []
function parameter<const S extends rnn.Shape>(shape: S) {
  const size = shape.reduce((product, n) => product * n, 1)
  const numbers = Float32Array.from({ length: size }, () => generator.uniform(-0.3, 0.3))
  const made = rnn.tensor(numbers, shape, { requiresGrad: true })
  parameters.push(made)
  return made
}

const [wLetter, wPlace] = [parameter([H, C]), parameter([T, H])]
const [wQuery, wKey, v] = [parameter([H, H]), parameter([H, H]), parameter([H])]
const [wIh, bIh] = [parameter([3 * H, C + H]), parameter([3 * H])]
const [wHh, bHh] = [parameter([3 * H, H]), parameter([3 * H])]
const [wOut, bOut] = [parameter([C, H]), parameter([C])]

/** Scores [T · B, C] of the letters, the first of all words first. The decoder reads the letter `before` each. */
function scoresOf(letters: number[], before: number[][]) {
  const read = add(reshape(linear(oneHotRows(letters), wLetter), [B, T, H]), wPlace)
  const keys = reshape(linear(reshape(read, [B * T, H]), wKey), [B, T, H])
  let h = rnn.zeros([B, H])
  const scores = before.map(said => {
    const query = reshape(linear(h, wQuery), [B, 1, H])
    const attention = softmax(sum(mul(v, tanh(add(query, keys))), { dim: -1 }))
    const context = reshape(bmm(reshape(attention, [B, 1, T]), reshape(read, [B, T, H])), [B, H])
    const x = reshape(cat([oneHotRows(said), context], 1), [B, C + H])
    const [xR, xZ, xN] = split(linear(x, wIh, bIh), H, 1)
    const [hR, hZ, hN] = split(linear(h, wHh, bHh), H, 1)
    const n = tanh(add(xN!, mul(sigmoid(add(xR!, hR!)), hN!)))
    h = reshape(add(n, mul(sigmoid(add(xZ!, hZ!)), sub(h, n))), [B, H])
    return linear(h, wOut, bOut)
  })
  return reshape(cat(scores), [T * B, C])
}
const oneHotRows = (ids: number[]) => reshape(oneHot(ids, C), [ids.length, C])

const adam = new rnn.optim.Adam(parameters, { lr: 0.01 })
for (let step = 0; step <= 300; step++) {
  const words = Array.from({ length: B }, () => Array.from({ length: T }, () => generator.below(C)))
  const said = Array.from({ length: T }, (_, t) => words.map(word => word[T - 1 - t]!))
  const before = [new Array<number>(B).fill(0), ...said.slice(0, -1)]
  const loss = await scope(async () => {
    const mean = crossEntropy(scoresOf(words.flat(), before), said.flat())
    mean.backward()
    adam.step()
    return mean.item()
  })
  adam.zeroGrad()
  if (step % 100 === 0) console.log(`step ${step}  loss ${loss.toFixed(4)}`)
}
