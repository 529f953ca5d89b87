import { checkIndices } from '../check.js'
import { badArgument } from '../errors.js'
import { viaBits } from '../ops/bits.js'
import { indexSelect } from '../ops/indexing.js'
import { scope } from '../scope.js'
import { mapState, type State } from '../state.js'
import { type Float, type Tensor, tensor } from '../tensor.js'

/**
 * Returns the given rows of every leaf of a state, in new tensors: row r of the result is row `rows[r]`. The copies
 * are made on the leaves' device.
 *
 * @param state nested tensors [N, …], float32 or int32, and null.
 * @param rows from 0 to N − 1; a row may be taken several times.
 * @throws PackedRnnError ERR_SHAPE for a leaf without dimensions; ERR_OUT_OF_RANGE for a row that a leaf doesn't
 * have; ERR_INVALID_ARGUMENT for anything else than nested tensors, such as a packed sequence.
 * @example
 * ```ts
 * import { tensor } from 'packed-rnn'
 * import { gatherRows } from 'packed-rnn/decoding'
 *
 * const state = { h: tensor([1, 2, 3, 4], [2, 2]), c: null }
 * const { h } = gatherRows(state, [1, 1, 0])
 * console.log(h.shape, await h.toArray()) // [3, 2] Float32Array(6) [3, 4, 3, 4, 1, 2]
 * ```
 */
export function gatherRows<S extends State>(state: S, rows: Int32Array | readonly number[]): S {
  const op = 'gatherRows'
  return scope(() => {
    let index: Tensor<'int32'> | null = null
    return mapState(op, 'state', state, (leaf, path) => {
      const [n] = leaf.shape
      if (n === undefined) throw badArgument(op, path, 'a row for each hypothesis', leaf.shape, 'ERR_SHAPE')
      checkIndices(op, 'rows', rows, n)
      if (index?.device !== leaf.device) {
        index = tensor(Int32Array.from(rows), [rows.length], { device: leaf.device })
      }
      return gathered(leaf, index)
    })
  })
}

function gathered(leaf: Tensor, index: Tensor<'int32'>): Tensor {
  if (isFloat(leaf)) return indexSelect(leaf, 0, index)
  if (isInteger(leaf)) return viaBits(leaf, bits => indexSelect(bits, 0, index))
  return leaf
}

function isFloat(x: Tensor): x is Float {
  return x.dtype === 'float32'
}

function isInteger(x: Tensor): x is Tensor<'int32'> {
  return x.dtype === 'int32'
}

/**
 * Returns the bytes of a state's tensors. A beam search holds at most `beams` times those of the state that it
 * starts from, and while it selects hypotheses twice as many.
 * @example
 * ```ts
 * import { zeros } from 'packed-rnn'
 * import { stateBytes } from 'packed-rnn/decoding'
 *
 * console.log(stateBytes({ h: zeros([3, 8]), c: zeros([3, 8]) })) // 192
 * ```
 */
export function stateBytes(state: State): number {
  let bytes = 0
  mapState('stateBytes', 'state', state, leaf => {
    bytes += 4 * leaf.size
    return leaf
  })
  return bytes
}
