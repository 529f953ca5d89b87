/**
 * Counts the rows that packed-rnn's backward pass processes if the loss reads only the last states. It skips tokens whose
 * gradient is exactly 0, so the rows whose input has a gradient are counted, for each layer and direction.
 */
import type { Device } from '../device.js'
import type { PackedIds } from '../packed.js'
import type { Matrix } from '../tensor.js'
import type { BenchCase } from './cases.js'
import { hashed } from './hashed.js'
import type { BenchModel } from './model.js'
import type { WalkedRows } from './multiplications.js'

/** The counts by layer and direction, for the model's current parameters. The model's gradients are disposed. */
export async function walkedRows(
  spec: BenchCase,
  device: Device,
  model: BenchModel,
  ids: PackedIds,
): Promise<WalkedRows[][]> {
  const { multiply, noGrad, packedRows, PackedSequence, scope, sum, tensor } = model.library
  const { hiddenSize: H, numLayers, bidirectional } = spec
  const { sequences } = ids
  const D = bidirectional ? 2 : 1
  const options = { hiddenSize: H, bidirectional }
  const run = (x: Matrix, l: number) =>
    model.library[spec.cell](
      new PackedSequence(x, sequences),
      model.recurrent.weights.slice(l * D, (l + 1) * D),
      options,
    )

  const inputs = [noGrad(() => scope(() => packedRows(model.rows(ids))))]
  for (let l = 1; l < numLayers; l++) {
    inputs.push(noGrad(() => scope(() => run(inputs[l - 1]!, l - 1).output.data)))
  }
  /** The gradient of a layer's output, [N, D·H]; null for the last layer, where only the last states have one. */
  let above: Float32Array | null = null
  const found: WalkedRows[][] = []
  for (let l = numLayers - 1; l >= 0; l--) {
    using x = inputs[l]!
    x.requiresGrad = true
    const [rows, width] = x.shape
    const below = new Float32Array(rows * width)
    const walked: WalkedRows[] = []
    for (let d = 0; d < D; d++) {
      scope(() => {
        const { output, hN } = run(x, l)
        const to = above === null ? hN : output.data
        // As large as the gradient of a mean loss, for this direction only.
        const gradient = above ?? hashed(sequences.batchSize * D * H, { scale: 1 / sequences.batchSize })
        const own =
          above === null ? ofBlock(gradient, d, sequences.batchSize * H) : ofColumns(gradient, d, D, H)
        sum(multiply(to, tensor(own, to.shape, { device }))).backward()
      })
      const dX = (await x.grad?.toArray()) ?? new Float32Array()
      x.grad?.dispose()
      walked.push(countRows(dX, width, l === 0 ? ids.ids : null))
      for (let i = 0; i < dX.length; i++) below[i]! += dX[i]!
    }
    found.unshift(walked)
    above = below
  }
  model.module.zeroGrad()
  return found
}

/** Sets all blocks of `size` numbers except one to 0. */
function ofBlock(numbers: Float32Array, block: number, size: number): Float32Array {
  return numbers.map((v, i) => (Math.floor(i / size) === block ? v : 0))
}

/** Sets all columns except those of a direction to 0. */
function ofColumns(numbers: Float32Array, direction: number, directions: number, size: number): Float32Array {
  return numbers.map((v, i) => (Math.floor(i / size) % directions === direction ? v : 0))
}

/** The number of rows with a non-zero number. The input rows of the first layer are distinct words. */
function countRows(numbers: Float32Array, width: number, words: Int32Array | null): WalkedRows {
  let rows = 0
  const distinct = new Set<number>()
  for (let n = 0; n * width < numbers.length; n++) {
    if (numbers.subarray(n * width, (n + 1) * width).every(v => v === 0)) continue
    rows++
    if (words !== null) distinct.add(words[n]!)
  }
  return { inputRows: words === null ? rows : distinct.size, rows }
}
