// The ops without modules and without a tape: lstmForward, lstmBackward, and the same of a linear layer and the loss. The
// task: which of three words a sequence began with, whatever came after it.
//
//   node examples/forwardBackward.js
import {
  crossEntropyBackward,
  crossEntropyForward,
  Generator,
  linearBackward,
  linearForward,
  lstmBackward,
  lstmForward,
  optim,
  packSequence,
  reshape,
  scope,
  tensor,
} from 'packed-rnn'

const [B, I, H, C] = [32, 3, 16, 3]
const generator = new Generator(1)
const draw = shape => {
  const size = shape.reduce((a, b) => a * b)
  return tensor(
    Float32Array.from({ length: size }, () => generator.uniform(-0.25, 0.25)),
    shape,
  )
}
const weights = [{ wIh: draw([4 * H, I]), wHh: draw([4 * H, H]), bIh: draw([4 * H]), bHh: draw([4 * H]) }]
const [weight, bias] = [draw([C, H]), draw([C])]
const parameters = [...Object.values(weights[0]), weight, bias]
const adam = new optim.Adam(parameters, { lr: 0.01 })

for (let step = 0; step <= 150; step++) {
  const loss = await scope(async () => {
    // Sequences of 1 to 12 tokens, each a one-hot row [I]; back to back they are x [N, I].
    const labels = Array.from({ length: B }, () => generator.below(C))
    const sequences = labels.map(label => {
      const words = [label, ...Array.from({ length: generator.below(12) }, () => generator.below(I))]
      return Float32Array.from(words.flatMap(word => Array.from({ length: I }, (_, i) => Number(i === word))))
    })
    const x = packSequence(sequences, { inputSize: I })

    const states = lstmForward(x, weights, { hiddenSize: H })
    const hidden = reshape(states.hN, [B, H]) // hN is [L·D, B, H], and there is one layer in one direction
    const { loss, saved } = crossEntropyForward(linearForward(hidden, weight, bias), labels)

    const dLogits = crossEntropyBackward(saved, tensor([1], []))
    const { dX, dWeight, dBias } = linearBackward(hidden, weight, dLogits)
    const { dWeights } = lstmBackward(states.saved, { dHN: reshape(dX, [1, B, H]) }, { input: false })

    // An optimiser steps along whatever `grad` holds.
    const gradients = [...['wIh', 'wHh', 'bIh', 'bHh'].map(name => dWeights[0][name]), dWeight, dBias]
    for (const [i, parameter] of parameters.entries()) parameter.grad = gradients[i]
    adam.step()
    return loss.item()
  })
  if (step % 50 === 0) console.log(`step ${String(step).padStart(3)}  loss ${loss.toFixed(4)}`)
}
